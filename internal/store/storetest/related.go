package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testRelatedPipelines(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	other := NewProject(t, db, w.Home, w.User, "other")
	source := w.started(t, "source", 2)
	ties := make([]ci.Upstream, 2)
	for i, uid := range []string{"down 1", "down 2"} {
		n := w.NewPipeline(uid, 0)
		n.Pipeline.ProjectID = other.ID
		n.Upstream = &ci.Upstream{SourceProjectID: w.Project.ID, SourcePipelineID: source.Pipeline.ID, SourceJobID: source.Jobs[i].ID}
		ties[i] = *n.Upstream
		ties[i].PipelineID = must(db.CreatePipeline(ctx, n))(t).ID
	}
	n := w.NewPipeline("further", 0)
	n.Upstream = &ci.Upstream{SourceProjectID: other.ID, SourcePipelineID: ties[0].PipelineID, SourceJobID: 999}
	further := must(db.CreatePipeline(ctx, n))(t).ID
	tie := *n.Upstream
	tie.PipelineID = further

	related := func(id ci.PipelineID, limit int) []store.Related {
		t.Helper()
		return must(v.RelatedPipelines(ctx, id, limit))(t)
	}
	whole := func(tie ci.Upstream, job string, other ci.PipelineID, project ci.Project) store.Related {
		t.Helper()
		return store.Related{Upstream: tie, JobName: job, Pipeline: must(v.Pipeline(ctx, other))(t), Project: project}
	}
	same(t, "of the source", related(source.Pipeline.ID, 10), []store.Related{
		whole(ties[0], "job 0", ties[0].PipelineID, other), whole(ties[1], "job 1", ties[1].PipelineID, other),
	})
	same(t, "first of the source", related(source.Pipeline.ID, 1), []store.Related{whole(ties[0], "job 0", ties[0].PipelineID, other)})
	same(t, "of one between", related(ties[0].PipelineID, 10), []store.Related{
		whole(ties[0], "job 0", source.Pipeline.ID, w.Project), whole(tie, "", further, w.Project),
	})
	same(t, "of the last", related(further, 10), []store.Related{whole(tie, "", ties[0].PipelineID, other)})
	same(t, "of none", related(999, 10), []store.Related{})

	job, pipeline, err := v.JobInPipeline(ctx, source.Jobs[1].ID)
	ok(t, err)
	same(t, "job", job, source.Jobs[1])
	same(t, "its pipeline", pipeline, source.Pipeline)
	_, _, err = v.JobInPipeline(ctx, 999)
	missing(t, "job", err)
	again := job
	again.ID, again.Attempt, job.Retried = 0, 1, true
	changes := ci.Changes{Pipeline: source.Pipeline, Jobs: []ci.Job{job}, New: []ci.Job{again}}
	ok(t, db.Apply(ctx, changes, 0))
	attempts := must(v.Attempts(ctx, source.Pipeline.ID, job.Name))(t)
	same(t, "attempts", len(attempts), 2)
	same(t, "first attempt", attempts[0], job)
	same(t, "attempts of no job", must(v.Attempts(ctx, source.Pipeline.ID, "nothing"))(t), []ci.Job{})

	empty := NewProject(t, db, w.Home, w.User, "empty")
	newest := must(v.NewestPipelines(ctx, []ci.ProjectID{w.Project.ID, other.ID, empty.ID, 999}))(t)
	same(t, "newest", newest, map[ci.ProjectID]ci.Pipeline{
		w.Project.ID: must(v.Pipeline(ctx, further))(t), other.ID: must(v.Pipeline(ctx, ties[1].PipelineID))(t),
	})
}

func testRolesAtOnce(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	dev, home := NewUser(t, db, "dev")
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	projects := []ci.Project{
		w.Project, NewProject(t, db, home, dev, "own"), NewProject(t, db, top, w.User, "high"),
		NewProject(t, db, sub, w.User, "deep"), NewProject(t, db, sub, w.User, "twice"), NewProject(t, db, w.Home, w.User, "late"),
	}
	for _, m := range []ci.Member{
		{NamespaceID: top.ID, Role: ci.Reporter},
		{ProjectID: projects[4].ID, Role: ci.Maintainer},
		{NamespaceID: sub.ID, Role: ci.Developer, ExpiresAt: Epoch.Add(time.Hour)},
		{ProjectID: projects[5].ID, Role: ci.Owner, ExpiresAt: Epoch},
	} {
		m.UserID, m.CreatedAt = dev.ID, Epoch
		ok(t, db.SetMember(ctx, m))
	}
	ids, want := []ci.ProjectID{999}, map[ci.ProjectID]ci.Role{}
	for _, p := range projects {
		ids = append(ids, p.ID)
		if role := must(v.Role(ctx, dev.ID, p))(t); role != ci.NoRole {
			want[p.ID] = role
		}
	}
	same(t, "roles", must(v.Roles(ctx, dev.ID, ids))(t), want)
	same(t, "roles found one by one", len(want), 4)
	same(t, "roles in nothing", must(v.Roles(ctx, dev.ID, nil))(t), map[ci.ProjectID]ci.Role{})
}
