package storetest

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// jobsOf gives the ids of jobs.
func jobsOf(list []ci.Job) []ci.JobID {
	ids := make([]ci.JobID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

func testResourceGroups(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	ok(t, db.AddResourceGroups(ctx, w.Project.ID, []string{"prod", "test/eu"}, Epoch))
	ok(t, db.AddResourceGroups(ctx, w.Project.ID, []string{"prod"}, Epoch))
	missing(t, "groups of no project", db.AddResourceGroups(ctx, 999, []string{"prod"}, Epoch))
	groups, total, err := v.ResourceGroups(ctx, w.Project.ID, 10, 0)
	ok(t, err)
	prod := ci.ResourceGroup{ID: groups[0].ID, ProjectID: w.Project.ID, Key: "prod", Mode: ci.Unordered, CreatedAt: Epoch, UpdatedAt: Epoch}
	other := prod
	other.ID, other.Key = groups[1].ID, "test/eu"
	same(t, "groups", groups, []ci.ResourceGroup{prod, other})
	same(t, "number of groups", total, 2)
	_, err = v.ResourceGroup(ctx, w.Project.ID, "none")
	missing(t, "group", err)

	// Two pipelines of two jobs each; the first job of the older does not wait yet.
	create := func(uid string, statuses ...ci.Status) []ci.Job {
		n := w.NewPipeline(uid, len(statuses))
		for i, status := range statuses {
			n.Jobs[i].Status, n.Jobs[i].Plan.ResourceGroup = status, "prod"
		}
		return must(v.Snapshot(ctx, must(db.CreatePipeline(ctx, n))(t).ID))(t).Jobs
	}
	a := create("a", ci.Created, ci.Success)
	b := create("b", ci.Created, ci.WaitingForResource)
	c := create("c", ci.WaitingForResource, ci.WaitingForResource)
	for mode, want := range map[ci.ProcessMode][]ci.JobID{
		ci.Unordered:        {b[1].ID, c[0].ID, c[1].ID},
		ci.OldestFirst:      {a[0].ID, b[1].ID, b[0].ID, c[0].ID, c[1].ID},
		ci.NewestFirst:      {c[0].ID, c[1].ID, b[1].ID, b[0].ID, a[0].ID},
		ci.NewestReadyFirst: {c[0].ID, c[1].ID, b[1].ID},
	} {
		ok(t, db.SetProcessMode(ctx, prod.ID, mode, Epoch))
		group := must(v.ResourceGroup(ctx, w.Project.ID, "prod"))(t)
		same(t, "mode", group.Mode, mode)
		list, total, err := v.UpcomingJobs(ctx, group, 10, 0)
		ok(t, err)
		same(t, "upcoming jobs, "+string(mode), jobsOf(list), want)
		same(t, "their number", total, len(want))
	}
	missing(t, "mode of no group", db.SetProcessMode(ctx, 999, ci.Unordered, Epoch))
	same(t, "waited for", must(v.WaitedFor(ctx))(t), []ci.ResourceGroup{{ProjectID: w.Project.ID, Key: "prod"}})

	// The database lets one job hold the group.
	hold := func(job ci.Job, status ci.Status) error {
		s := must(v.Snapshot(ctx, job.PipelineID))(t)
		job.Status = status
		return db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: []ci.Job{job}}, 0)
	}
	ok(t, hold(c[0], ci.Pending))
	same(t, "holder", must(v.ResourceGroup(ctx, w.Project.ID, "prod"))(t).Holder, c[0].ID)
	taken(t, "second holder", hold(b[1], ci.Pending), "resource_group")
	taken(t, "second holder in the same pipeline", hold(c[1], ci.Pending), "resource_group")
	same(t, "waited for while it is held", must(v.WaitedFor(ctx))(t), []ci.ResourceGroup{})
	for _, status := range []ci.Status{ci.Running, ci.Canceling} {
		ok(t, hold(c[0], status))
		taken(t, "second holder", hold(b[1], ci.Pending), "resource_group")
	}
	ok(t, hold(c[0], ci.Canceled))
	ok(t, hold(b[1], ci.Pending))
	same(t, "holder", must(v.ResourceGroup(ctx, w.Project.ID, "prod"))(t).Holder, b[1].ID)
	ok(t, db.DeletePipeline(ctx, b[1].PipelineID))
	same(t, "holder that is gone", must(v.ResourceGroup(ctx, w.Project.ID, "prod"))(t).Holder, ci.JobID(0))
	same(t, "broken invariants", must(v.Check(ctx))(t), []string{})
}
