package storetest

import (
	"errors"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// NewVariable describes a variable.
func NewVariable(owner ci.VariableOwner, key, scope string) ci.OwnedVariable {
	return ci.OwnedVariable{Owner: owner, Variable: ci.Variable{Key: key}, Scope: scope, Sealed: []byte("sealed " + key), CreatedAt: Epoch}
}

func testVariables(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	group := NewGroup(t, db, "top", nil)
	for name, owner := range map[string]ci.VariableOwner{
		"project": {ProjectID: w.Project.ID}, "group": {NamespaceID: group.ID}, "instance": {},
	} {
		a := NewVariable(owner, "A", "*")
		a.File, a.Raw, a.Protected, a.Masked, a.Hidden, a.Description = true, true, true, true, true, "what for"
		a = must(db.CreateVariable(ctx, a, 2))(t)
		b := must(db.CreateVariable(ctx, NewVariable(owner, "B", "*"), 2))(t)
		if _, err := db.CreateVariable(ctx, NewVariable(owner, "C", "*"), 2); !errors.Is(err, store.ErrTooMany) {
			t.Errorf("%s: third of two: got error %v, want ErrTooMany", name, err)
		}
		_, err := db.CreateVariable(ctx, NewVariable(owner, "A", "*"), 9)
		taken(t, name, err, "key")
		named := must(v.VariablesNamed(ctx, owner, "A"))(t)
		same(t, name+": named", named, []ci.OwnedVariable{a})
		same(t, name+": none named", must(v.VariablesNamed(ctx, owner, "a"))(t), []ci.OwnedVariable{})

		a.Sealed, a.File, a.Hidden, a.Description = []byte{0, 1}, false, false, ""
		ok(t, db.UpdateVariable(ctx, a))
		all, total, err := v.Variables(ctx, owner, 10, 0)
		ok(t, err)
		same(t, name, all, []ci.OwnedVariable{a, b})
		same(t, name+": total", total, 2)
		all, total, err = v.Variables(ctx, owner, 1, 1)
		ok(t, err)
		same(t, name+": second page", all, []ci.OwnedVariable{b})
		same(t, name+": total", total, 2)
		ok(t, db.DeleteVariable(ctx, b.ID))
		missing(t, name+": second deletion", db.DeleteVariable(ctx, b.ID))
		missing(t, name+": update of a deleted one", db.UpdateVariable(ctx, b))
	}
	testVariableScopes(t, db, w)
	_, err := db.CreateVariable(ctx, NewVariable(ci.VariableOwner{ProjectID: 999}, "A", "*"), 9)
	missing(t, "variable of no project", err)
	_, err = db.CreateVariable(ctx, NewVariable(ci.VariableOwner{NamespaceID: 999}, "A", "*"), 9)
	missing(t, "variable of no group", err)
	same(t, "invariants", must(v.Check(ctx))(t), []string{})
}

// testVariableScopes keeps variables of one key apart by their scopes.
func testVariableScopes(t *testing.T, db *store.DB, w World) {
	ctx, owner := t.Context(), ci.VariableOwner{ProjectID: w.Project.ID}
	first := must(db.CreateVariable(ctx, NewVariable(owner, "S", "*"), 9))(t)
	second := must(db.CreateVariable(ctx, NewVariable(owner, "S", "review/*"), 9))(t)
	same(t, "scopes", must(db.View().VariablesNamed(ctx, owner, "S"))(t), []ci.OwnedVariable{first, second})
	second.Scope = "*"
	taken(t, "scope of another", db.UpdateVariable(ctx, second), "key")
}

func testReachingVariables(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	other := NewGroup(t, db, "other", nil)
	project := NewProject(t, db, sub, w.User, "inside")
	reaching := func(p ci.Project) (names []string, version int64) {
		t.Helper()
		list, version, err := v.ReachingVariables(ctx, p.ID, p.NamespaceID)
		ok(t, err)
		for _, r := range list {
			names = append(names, r.Key+" "+r.Group)
			same(t, r.Key, r.Sealed, []byte("sealed "+r.Key))
		}
		same(t, "version", must(v.VariablesVersion(ctx))(t), version)
		return names, version
	}
	names, before := reaching(project)
	same(t, "none", names, []string(nil))
	for _, each := range []struct {
		key   string
		owner ci.VariableOwner
	}{
		{"PROJECT", ci.VariableOwner{ProjectID: project.ID}}, {"SUB", ci.VariableOwner{NamespaceID: sub.ID}},
		{"TOP", ci.VariableOwner{NamespaceID: top.ID}}, {"INSTANCE", ci.VariableOwner{}},
		{"OTHER", ci.VariableOwner{NamespaceID: other.ID}}, {"NEAR", ci.VariableOwner{ProjectID: w.Project.ID}},
	} {
		must(db.CreateVariable(ctx, NewVariable(each.owner, each.key, "*"), 9))(t)
	}
	names, after := reaching(project)
	same(t, "all", names, []string{"INSTANCE ", "TOP top", "SUB top/sub", "PROJECT "})
	if after <= before {
		t.Errorf("version after changes: got %d, want more than %d", after, before)
	}
	names, _ = reaching(w.Project)
	same(t, "of a user", names, []string{"INSTANCE ", "NEAR "})

	top.Path, top.FullPath = "new", "new"
	ok(t, db.UpdateGroup(ctx, top))
	names, renamed := reaching(project)
	same(t, "after a new name", names, []string{"INSTANCE ", "TOP new", "SUB new/sub", "PROJECT "})
	sub.ParentID, sub.FullPath = other.ID, "other/sub"
	ok(t, db.UpdateGroup(ctx, sub))
	names, moved := reaching(project)
	same(t, "after a move", names, []string{"INSTANCE ", "OTHER other", "SUB other/sub", "PROJECT "})
	if renamed <= after || moved <= renamed {
		t.Errorf("versions %d, %d, %d do not grow with moves of groups", after, renamed, moved)
	}
}

// testVersions reads the version of variables beside what else is asked for at the
// same time.
func testVersions(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	must(db.CreateVariable(ctx, NewVariable(ci.VariableOwner{ProjectID: w.Project.ID}, "A", "*"), 9))(t)
	want := must(v.VariablesVersion(ctx))(t)
	check := func(what string, version int64, err error) {
		t.Helper()
		ok(t, err)
		same(t, "version with "+what, version, want)
	}
	ok(t, db.SetRefs(ctx, w.Project.ID, []ci.Ref{{Name: "refs/heads/v1", SHA: "a"}, {Name: "refs/tags/v1", SHA: "b"}}, nil))
	found, err := v.RunnableRefs(ctx, w.Project.ID, "v1")
	check("no protections", found.VariablesVersion, err)
	same(t, "no protections", found.Protections, []ci.Protection{})
	for _, tag := range []bool{true, false} {
		must(db.Protect(ctx, ci.Protection{ProjectID: w.Project.ID, Tag: tag, Pattern: "v*", PushLevel: ci.Developer, MergeLevel: ci.Maintainer}))(t)
	}
	for name, refs := range map[string]int{"v1": 2, "refs/tags/v1": 1} {
		found, err = v.RunnableRefs(ctx, w.Project.ID, name)
		check("protections", found.VariablesVersion, err)
		same(t, "protections", found.Protections, must(v.Protections(ctx, w.Project.ID))(t))
		same(t, "refs", len(found.Refs), refs)
	}
	found, err = v.RunnableRefs(ctx, w.Project.ID, "none")
	same(t, "no ref", found, store.RunnableRefs{})
	ok(t, err)
	with, without := w.NewPipeline("a", 1), w.NewPipeline("b", 1)
	with.Variables = []byte("sealed")
	sealed, version, err := v.JobVariables(ctx, must(db.CreatePipeline(ctx, with))(t).ID)
	check("variables", version, err)
	same(t, "variables", sealed, with.Variables)
	sealed, version, err = v.JobVariables(ctx, must(db.CreatePipeline(ctx, without))(t).ID)
	check("no variables", version, err)
	same(t, "no variables", sealed, []byte(nil))
}

func testVariablesOfDeleted(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	group := NewGroup(t, db, "top", nil)
	owners := []ci.VariableOwner{{ProjectID: w.Project.ID}, {NamespaceID: group.ID}}
	for _, owner := range owners {
		must(db.CreateVariable(ctx, NewVariable(owner, "A", "*"), 9))(t)
	}
	ok(t, db.DeleteProject(ctx, w.Project.ID))
	ok(t, db.DeleteGroup(ctx, group.ID))
	for _, owner := range owners {
		_, total, err := v.Variables(ctx, owner, 10, 0)
		ok(t, err)
		same(t, "variables of a deleted owner", total, 0)
	}
	same(t, "invariants", must(v.Check(ctx))(t), []string{})
}
