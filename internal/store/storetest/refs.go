package storetest

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testRefs(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	project := w.Project.ID
	ref := func(name, sha string) ci.Ref { return ci.Ref{ProjectID: project, Name: name, SHA: sha} }
	main, dev, v1, both := ref("refs/heads/main", "1"), ref("refs/heads/x", "2"), ref("refs/tags/v1", "3"), ref("refs/tags/x", "4")
	ok(t, db.SetRefs(ctx, project, []ci.Ref{main, dev, v1, both}, nil))
	same(t, "ref", must(v.Ref(ctx, project, "refs/tags/x"))(t), both)
	_, err := v.Ref(ctx, project, "x")
	missing(t, "short name", err)
	_, err = v.Ref(ctx, project+1, "refs/tags/x")
	missing(t, "ref of another project", err)
	same(t, "both", must(v.RefsNamed(ctx, project, "x"))(t), []ci.Ref{dev, both})
	same(t, "tag", must(v.RefsNamed(ctx, project, "v1"))(t), []ci.Ref{v1})
	same(t, "none", must(v.RefsNamed(ctx, project, "refs/heads/main"))(t), []ci.Ref{})
	same(t, "branches", must(v.Refs(ctx, project, ci.BranchPrefix))(t), []ci.Ref{main, dev})
	same(t, "all", must(v.Refs(ctx, project, ""))(t), []ci.Ref{main, dev, v1, both})

	moved := ref("refs/heads/main", "9")
	ok(t, db.SetRefs(ctx, project, []ci.Ref{moved}, []string{dev.Name, "refs/heads/never"}))
	same(t, "after a push", must(v.Refs(ctx, project, ""))(t), []ci.Ref{moved, v1, both})
	if n := must(db.ReplaceRefs(ctx, project, []ci.Ref{moved, v1, both}))(t); n != 0 {
		t.Errorf("nothing missed: got %d changes", n)
	}
	if n := must(db.ReplaceRefs(ctx, project, []ci.Ref{main, v1, dev}))(t); n != 3 {
		t.Errorf("one moved, one new, one gone: got %d changes", n)
	}
	same(t, "after replacing", must(v.Refs(ctx, project, ""))(t), []ci.Ref{main, dev, v1})
	missing(t, "refs of no project", db.SetRefs(ctx, 999, []ci.Ref{main}, nil))
}

func testProtections(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	project := w.Project.ID
	tag := must(db.Protect(ctx, ci.Protection{ProjectID: project, Tag: true, Pattern: "v*", PushLevel: ci.Maintainer}))(t)
	branch := must(db.Protect(ctx, ci.Protection{ProjectID: project, Pattern: "main", PushLevel: ci.Maintainer, MergeLevel: ci.Developer, ForcePush: true}))(t)
	_, err := db.Protect(ctx, branch)
	taken(t, "same pattern", err, "pattern")
	_, err = db.Protect(ctx, ci.Protection{ProjectID: 999, Pattern: "x"})
	missing(t, "protection in no project", err)
	same(t, "protections", must(v.Protections(ctx, project))(t), []ci.Protection{branch, tag})
	branch.PushLevel, branch.MergeLevel, branch.ForcePush = ci.NoRole, ci.Maintainer, false
	ok(t, db.UpdateProtection(ctx, branch))
	missing(t, "update of none", db.UpdateProtection(ctx, ci.Protection{ProjectID: project, Pattern: "v*"}))
	same(t, "updated", must(v.Protections(ctx, project))(t), []ci.Protection{branch, tag})
	ok(t, db.Unprotect(ctx, project, true, "v*"))
	missing(t, "second time", db.Unprotect(ctx, project, true, "v*"))
	same(t, "one is left", must(v.Protections(ctx, project))(t), []ci.Protection{branch})
}
