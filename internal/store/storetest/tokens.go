package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testTriggers(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	project := w.Project.ID
	a := must(db.CreateTrigger(ctx, w.NewTrigger(1), 2))(t)
	plain := w.NewTrigger(2)
	plain.Description, plain.ExpiresAt = nil, Epoch.Add(time.Hour)
	b := must(db.CreateTrigger(ctx, plain, 2))(t)
	if _, err := db.CreateTrigger(ctx, w.NewTrigger(3), 2); !errors.Is(err, store.ErrTooMany) {
		t.Errorf("third of two: got error %v, want ErrTooMany", err)
	}
	_, err := db.CreateTrigger(ctx, w.NewTrigger(1), 9)
	taken(t, "same digest", err, "token")
	stray := w.NewTrigger(4)
	stray.ProjectID = 999
	_, err = db.CreateTrigger(ctx, stray, 9)
	missing(t, "trigger of no project", err)

	same(t, "by digest", must(v.TriggerByDigest(ctx, b.Digest))(t), store.OwnedTrigger{
		Trigger: b, Owner: w.User, Project: w.Project, Role: must(v.Role(ctx, w.User.ID, w.Project))(t),
	})
	_, err = v.TriggerByDigest(ctx, stray.Digest)
	missing(t, "by digest", err)
	_, err = v.Trigger(ctx, project+1, a.ID)
	missing(t, "trigger of another project", err)

	for i, uid := range []string{"u1", "u2"} {
		n := w.NewPipeline(uid, 0)
		n.Pipeline.TriggerID, n.Pipeline.CreatedAt = a.ID, Epoch.Add(time.Duration(2-i)*time.Minute)
		must(db.CreatePipeline(ctx, n))(t)
	}
	used := a
	used.LastUsed = Epoch.Add(time.Minute) // of the newest pipeline, not of the latest time
	same(t, "trigger", must(v.Trigger(ctx, project, a.ID))(t), used)
	list, total, err := v.Triggers(ctx, project, 10, 0)
	ok(t, err)
	same(t, "triggers", list, []ci.Trigger{used, b})
	list, _, err = v.Triggers(ctx, project, 1, 1)
	ok(t, err)
	same(t, "page of triggers", list, []ci.Trigger{b})
	if total != 2 {
		t.Errorf("total: got %d, want 2", total)
	}
	same(t, "by digest after use", must(v.TriggerByDigest(ctx, a.Digest))(t).Trigger, a)

	empty := ""
	b.Description, b.UpdatedAt, b.ExpiresAt = &empty, Epoch.Add(time.Hour), time.Time{}
	ok(t, db.UpdateTrigger(ctx, b))
	same(t, "updated", must(v.Trigger(ctx, project, b.ID))(t), b)
	b.ProjectID++
	missing(t, "update in another project", db.UpdateTrigger(ctx, b))

	missing(t, "delete in another project", db.DeleteTrigger(ctx, project+1, a.ID))
	ok(t, db.DeleteTrigger(ctx, project, a.ID))
	missing(t, "second delete", db.DeleteTrigger(ctx, project, a.ID))
	if c := must(db.CreateTrigger(ctx, w.NewTrigger(5), 2))(t); c.ID <= b.ID {
		t.Errorf("id after a delete: got %d, want more than %d", c.ID, b.ID)
	}
	testPruneTriggers(t, db, w)
}

// testPruneTriggers makes tokens that expired an hour after they were made, in an
// hour, and never.
func testPruneTriggers(t *testing.T, db *store.DB, w World) {
	ctx, v := t.Context(), db.View()
	var ids []ci.TriggerID
	for i, expires := range []time.Time{Epoch.Add(time.Hour), Epoch.Add(3 * time.Hour), {}} {
		trigger := w.NewTrigger(10 + i)
		trigger.ExpiresAt = expires
		ids = append(ids, must(db.CreateTrigger(ctx, trigger, 9))(t).ID)
	}
	late := w.NewTrigger(20) // was expired when it was made
	late.CreatedAt, late.ExpiresAt = Epoch.Add(3*time.Hour), Epoch.Add(time.Hour)
	ids = append(ids, must(db.CreateTrigger(ctx, late, 9))(t).ID)
	if n := must(db.PruneTriggers(ctx, Epoch.Add(2*time.Hour), 10))(t); n != 1 {
		t.Errorf("pruned %d triggers, want 1", n)
	}
	for i, id := range ids {
		_, err := v.Trigger(ctx, w.Project.ID, id)
		if gone := ci.IsNotFound(err); gone != (i == 0) {
			t.Errorf("trigger %d of those with an expiry: gone is %v (%v)", i, gone, err)
		}
	}
}

func testAccessTokens(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	token := ci.AccessToken{
		UserID: w.User.ID, Name: "laptop", Scopes: []string{"api", "read_user"}, Digest: []byte{1}, CreatedAt: Epoch, ExpiresAt: Epoch.Add(time.Hour),
	}
	token = must(db.CreateAccessToken(ctx, token))(t)
	other := must(db.CreateAccessToken(ctx, ci.AccessToken{UserID: w.User.ID, Digest: []byte{2}, CreatedAt: Epoch}))(t)
	_, err := db.CreateAccessToken(ctx, token)
	taken(t, "same digest", err, "token")
	_, err = db.CreateAccessToken(ctx, ci.AccessToken{UserID: 999, Digest: []byte{3}})
	missing(t, "token of nobody", err)
	same(t, "by digest", must(v.AccessTokenByDigest(ctx, []byte{1}))(t), token)
	_, err = v.AccessTokenByDigest(ctx, []byte{9})
	missing(t, "by digest", err)
	same(t, "by id", must(v.AccessToken(ctx, other.ID))(t), other)
	_, err = v.AccessToken(ctx, 999)
	missing(t, "by id", err)
	ok(t, db.RevokeAccessToken(ctx, w.User.ID, token.ID))
	missing(t, "revoke another's", db.RevokeAccessToken(ctx, w.User.ID+1, token.ID))
	token.Revoked = true
	same(t, "tokens", must(v.AccessTokens(ctx, w.User.ID))(t), []ci.AccessToken{token, other})
}

func testJobTokenScope(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	inside, outside := NewProject(t, db, sub, w.User, "inside"), NewProject(t, db, w.Home, w.User, "outside")
	allowed := func(source ci.Project) bool {
		t.Helper()
		return must(v.JobTokenAllowed(ctx, w.Project, source))(t)
	}
	same(t, "itself and others", []bool{allowed(w.Project), allowed(inside), allowed(outside)}, []bool{true, false, false})
	ok(t, db.AllowJobToken(ctx, w.Project.ID, 0, top.ID))
	ok(t, db.AllowJobToken(ctx, w.Project.ID, 0, top.ID))
	same(t, "group above", []bool{allowed(inside), allowed(outside)}, []bool{true, false})
	ok(t, db.AllowJobToken(ctx, w.Project.ID, outside.ID, 0))
	same(t, "project", []bool{allowed(inside), allowed(outside)}, []bool{true, true})
	projects, groups, err := v.JobTokenAllowlist(ctx, w.Project.ID)
	ok(t, err)
	same(t, "projects", projects, []ci.ProjectID{outside.ID})
	same(t, "groups", groups, []ci.NamespaceID{top.ID})
	ok(t, db.DisallowJobToken(ctx, w.Project.ID, 0, top.ID))
	missing(t, "second disallow", db.DisallowJobToken(ctx, w.Project.ID, 0, top.ID))
	same(t, "after disallow", []bool{allowed(inside), allowed(outside)}, []bool{false, true})
	missing(t, "allow in no project", db.AllowJobToken(ctx, 999, outside.ID, 0))
}
