package storetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// numbers gives the positions in s of jobs.
func numbers(s *ci.Snapshot, jobs []ci.Job) []int {
	list := []int{}
	for _, job := range jobs {
		for i := range s.Jobs {
			if s.Jobs[i].ID == job.ID {
				list = append(list, i)
			}
		}
	}
	return list
}

func testJobs(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	w.started(t, "other", 2)
	s := w.started(t, "u", 5)
	s.Jobs[1].Retried, s.Jobs[1].Status = true, ci.Failed
	s.Jobs[2].Status, s.Jobs[2].TokenDigest = ci.Success, []byte("token")
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[1:3]}, 0))

	id := s.Pipeline.ID
	for _, c := range []struct {
		name   string
		filter store.JobFilter
		want   []int
		total  int
	}{
		{"pipeline", store.JobFilter{PipelineID: id}, []int{4, 3, 2, 0}, 4},
		{"with retried", store.JobFilter{PipelineID: id, Retried: true}, []int{4, 3, 2, 1, 0}, 5},
		{"statuses", store.JobFilter{PipelineID: id, Statuses: []ci.Status{ci.Success, ci.Failed, ci.Pending}}, []int{2, 0}, 2},
		{"page", store.JobFilter{PipelineID: id, Limit: 2, Offset: 1}, []int{3, 2}, 4},
		{"before", store.JobFilter{PipelineID: id, BeforeID: s.Jobs[3].ID}, []int{2, 0}, 2},
		{"project", store.JobFilter{ProjectID: w.Project.ID, Limit: 3}, []int{4, 3, 2}, -1},
		{"another project", store.JobFilter{ProjectID: 999}, []int{}, -1},
	} {
		jobs, total, err := v.Jobs(ctx, c.filter)
		ok(t, err)
		same(t, c.name, numbers(s, jobs), c.want)
		if total != c.total {
			t.Errorf("%s: got total %d, want %d", c.name, total, c.total)
		}
	}
	if got := must(v.JobByToken(ctx, []byte("token")))(t); got.ID != s.Jobs[2].ID {
		t.Errorf("job by token: got %d, want %d", got.ID, s.Jobs[2].ID)
	}
	_, err := v.JobByToken(ctx, []byte("other"))
	missing(t, "job by token", err)
	_, err = v.JobByToken(ctx, nil)
	missing(t, "job by no token", err)
	_, err = v.Job(ctx, 999)
	missing(t, "job", err)
	missing(t, "touch", db.TouchJob(ctx, 999, Epoch))

	other := w.started(t, "token", 1)
	other.Jobs[0].TokenDigest = []byte("token")
	taken(t, "token of another job", db.Apply(ctx, ci.Changes{Pipeline: other.Pipeline, Jobs: other.Jobs}, 0), "token")
}

func testHeldJobs(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	s := w.started(t, "u", 5)
	for i, status := range []ci.Status{ci.Running, ci.Canceling, ci.Running, ci.Success, ci.Pending} {
		job := &s.Jobs[i]
		job.Status, job.RunnerID, job.ManagerID, job.StartedAt = status, 7, int64(10+i%2), Epoch
	}
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs}, 3))
	same(t, "held by a machine", numbers(s, must(v.HeldJobs(ctx, 10))(t)), []int{0, 2})
	same(t, "held by another", numbers(s, must(v.HeldJobs(ctx, 11))(t)), []int{1})
	same(t, "held by a runner", numbers(s, must(v.HeldByRunner(ctx, 7))(t)), []int{0, 1, 2})
	same(t, "held by none", numbers(s, must(v.HeldByRunner(ctx, 8))(t)), []int{})
	if pending, held, err := v.Work(ctx); err != nil || pending != 1 || held != 3 {
		t.Errorf("work: got %d pending and %d held, error %v, want 1 and 3", pending, held, err)
	}

	for name, c := range map[string]struct {
		filter store.RunnerJobFilter
		want   []int
		total  int
	}{
		"of a runner":       {store.RunnerJobFilter{RunnerID: 7}, []int{4, 3, 2, 1, 0}, 5},
		"page":              {store.RunnerJobFilter{RunnerID: 7, Limit: 2, Offset: 1}, []int{3, 2}, 5},
		"oldest first":      {store.RunnerJobFilter{RunnerID: 7, Ascending: true, Limit: 2}, []int{0, 1}, 5},
		"of a machine":      {store.RunnerJobFilter{RunnerID: 7, ManagerID: 11}, []int{3, 1}, 2},
		"with a status":     {store.RunnerJobFilter{RunnerID: 7, Statuses: []ci.Status{ci.Running}}, []int{2, 0}, 2},
		"in no project":     {store.RunnerJobFilter{RunnerID: 7, ProjectIDs: []ci.ProjectID{}}, []int{}, 0},
		"in the project":    {store.RunnerJobFilter{RunnerID: 7, ProjectIDs: []ci.ProjectID{w.Project.ID}}, []int{4, 3, 2, 1, 0}, 5},
		"of another runner": {store.RunnerJobFilter{RunnerID: 8}, []int{}, 0},
	} {
		jobs, total, err := v.RunnerJobs(ctx, c.filter)
		ok(t, err)
		same(t, name, numbers(s, jobs), c.want)
		same(t, name+", counted", total, c.total)
	}

	soon := Epoch.Add(time.Second)
	same(t, "unanswered at once", numbers(s, must(v.UnansweredJobs(ctx, Epoch))(t)), []int{})
	same(t, "unanswered", numbers(s, must(v.UnansweredJobs(ctx, soon))(t)), []int{0, 1, 2})
	ok(t, db.TouchJob(ctx, s.Jobs[2].ID, Epoch))
	same(t, "unanswered but for one", numbers(s, must(v.UnansweredJobs(ctx, soon))(t)), []int{0, 1})
	same(t, "silent at once", numbers(s, must(v.SilentJobs(ctx, Epoch))(t)), []int{})
	same(t, "silent", numbers(s, must(v.SilentJobs(ctx, soon))(t)), []int{0, 1, 2})
	ok(t, db.TouchJob(ctx, s.Jobs[1].ID, soon))
	same(t, "silent but for one", numbers(s, must(v.SilentJobs(ctx, soon))(t)), []int{0, 2})
	s.Jobs[1].Status = ci.Canceled
	s.Pipeline.Version++
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[1:2]}, -1))
	same(t, "held after one ended", numbers(s, must(v.HeldByRunner(ctx, 7))(t)), []int{0, 2})
}

func testQueues(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	same(t, "no queues", must(v.PendingQueues(ctx, 0))(t), []store.QueueHead{})
	second := w
	second.Project = NewProject(t, db, w.Home, w.User, "second")
	settings := must(json.Marshal(w.Project.ProjectSettings))(t)
	var want []store.QueueHead
	for _, c := range []struct {
		world World
		uid   string
		tags  []string
		held  int64
	}{{w, "a", nil, 1}, {w, "b", []string{"linux"}, 1}, {second, "c", []string{"linux"}, 0}} {
		n := c.world.NewPipeline(c.uid, 4)
		for i := range n.Jobs {
			n.Jobs[i].Status, n.Jobs[i].Tags = ci.Pending, c.tags
		}
		p := must(db.CreatePipeline(ctx, n))(t)
		s := must(v.Snapshot(ctx, p.ID))(t)
		head := s.Jobs[0]
		if c.uid == "a" { // the first is taken: the second is the head
			s.Jobs[0].Status = ci.Running
			ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[:1]}, 1))
			head = s.Jobs[1]
		}
		want = append(want, store.QueueHead{
			Key: head.Queue().Key(), JobID: head.ID, PipelineID: p.ID, Running: c.held, ProjectSettings: string(settings),
		})
	}
	all := must(v.PendingJobs(ctx, want[0].Key, want[0].JobID-1, 10))(t)
	same(t, "jobs of a queue", all, []store.QueueHead{
		{Key: want[0].Key, JobID: want[0].JobID, PipelineID: want[0].PipelineID},
		{Key: want[0].Key, JobID: want[0].JobID + 1, PipelineID: want[0].PipelineID},
		{Key: want[0].Key, JobID: want[0].JobID + 2, PipelineID: want[0].PipelineID},
	})
	same(t, "page of a queue", must(v.PendingJobs(ctx, want[0].Key, all[0].JobID, 1))(t), all[1:2])
	same(t, "end of a queue", must(v.PendingJobs(ctx, want[0].Key, all[2].JobID, 10))(t), []store.QueueHead{})
	same(t, "jobs before the third", must(v.PendingBefore(ctx, want[0].Key, all[2].JobID))(t), 2)
	same(t, "jobs before the first", must(v.PendingBefore(ctx, want[0].Key, all[0].JobID))(t), 0)
	byKey := func(a, b store.QueueHead) int { return strings.Compare(a.Key, b.Key) }
	same(t, "queues", slices.SortedFunc(slices.Values(must(v.PendingQueues(ctx, 0))(t)), byKey), slices.SortedFunc(slices.Values(want), byKey))
}

func testArtifacts(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	s := w.started(t, "u", 3)
	add := func(job int, kind string, expires time.Time) ci.Artifact {
		t.Helper()
		return must(db.AddArtifact(ctx, ci.Artifact{
			JobID: s.Jobs[job].ID, ProjectID: w.Project.ID, Type: kind, Format: "zip", Name: "artifacts.zip", Size: 1 << 40,
			SHA256: []byte{1, 2}, BlobKey: kind + "-key", Access: "developer", ExpireIn: "1 day",
		}, expires, 0))(t)
	}
	day := Epoch.Add(24 * time.Hour)
	archive, report, other := add(0, "archive", day), add(0, "junit", time.Time{}), add(1, "archive", time.Time{})
	same(t, "artifact", must(v.Artifact(ctx, s.Jobs[0].ID, "junit"))(t), report)
	same(t, "artifacts", must(v.Artifacts(ctx, []ci.JobID{s.Jobs[0].ID, s.Jobs[1].ID, s.Jobs[2].ID}))(t),
		map[ci.JobID][]ci.Artifact{s.Jobs[0].ID: {archive, report}, s.Jobs[1].ID: {other}})
	_, err := db.AddArtifact(ctx, archive, day, 0)
	taken(t, "same type", err, "type")
	_, err = db.AddArtifact(ctx, ci.Artifact{JobID: 999, Type: "archive", SHA256: []byte{1}}, day, 0)
	missing(t, "job", err)
	_, err = v.Artifact(ctx, s.Jobs[2].ID, "archive")
	missing(t, "artifact", err)

	same(t, "expiry", must(v.Job(ctx, s.Jobs[0].ID))(t).ArtifactsExpireAt, day)
	same(t, "expired", must(v.ExpiredArtifacts(ctx, day, 10))(t), []ci.JobID{s.Jobs[0].ID})
	ok(t, db.KeepArtifacts(ctx, s.Jobs[0].ID))
	same(t, "expired after keep", must(v.ExpiredArtifacts(ctx, day, 10))(t), []ci.JobID{})
	missing(t, "keep", db.KeepArtifacts(ctx, 999))
	ok(t, db.ExpireArtifacts(ctx, w.Project.ID, Epoch))
	same(t, "expired of those kept", must(v.ExpiredArtifacts(ctx, day, 10))(t), []ci.JobID{})
	expiring := must(db.AddArtifact(ctx, ci.Artifact{JobID: s.Jobs[2].ID, Type: "archive", BlobKey: "soon", SHA256: []byte{1}}, day, 0))(t)
	ok(t, db.ExpireArtifacts(ctx, w.Project.ID+1, Epoch))
	same(t, "expired of another project", must(v.ExpiredArtifacts(ctx, Epoch, 10))(t), []ci.JobID{})
	ok(t, db.ExpireArtifacts(ctx, w.Project.ID, Epoch))
	same(t, "expired early", must(v.ExpiredArtifacts(ctx, Epoch, 10))(t), []ci.JobID{s.Jobs[2].ID})
	same(t, "deleted when expired", must(db.DeleteArtifacts(ctx, s.Jobs[2].ID))(t), []ci.Artifact{expiring})
	same(t, "expired when deleted", must(v.ExpiredArtifacts(ctx, Epoch, 10))(t), []ci.JobID{})
	must(db.AddArtifact(ctx, ci.Artifact{JobID: s.Jobs[2].ID, Type: "archive", BlobKey: "late", SHA256: []byte{1}}, Epoch, 0))(t)
	for range 2 {
		ok(t, db.RemoveExpiredArtifacts(ctx, s.Jobs[2].ID))
		same(t, "expired when removed", must(v.ExpiredArtifacts(ctx, day, 10))(t), []ci.JobID{})
		same(t, "expiry of what was removed", must(v.Job(ctx, s.Jobs[2].ID))(t).ArtifactsExpireAt, Epoch)
	}
	_, err = v.Artifact(ctx, s.Jobs[2].ID, "archive")
	missing(t, "artifact that expired", err)

	_, err = v.LatestJobWithArtifacts(ctx, w.Project.ID, "main", "job 1")
	missing(t, "latest job that has not succeeded", err)
	s.Jobs[1].Status = ci.Success
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[1:2]}, 0))
	if got := must(v.LatestJobWithArtifacts(ctx, w.Project.ID, "main", "job 1"))(t); got.ID != s.Jobs[1].ID {
		t.Errorf("latest job with artifacts: got %d, want %d", got.ID, s.Jobs[1].ID)
	}
	_, err = v.LatestJobWithArtifacts(ctx, w.Project.ID, "dev", "job 1")
	missing(t, "latest job of another ref", err)

	same(t, "deleted", must(db.DeleteArtifacts(ctx, s.Jobs[1].ID))(t), []ci.Artifact{other})
	same(t, "erased", must(db.EraseJob(ctx, s.Jobs[0].ID, day, w.User.ID))(t), []ci.Artifact{archive, report})
	same(t, "artifacts that are left", must(v.Artifacts(ctx, []ci.JobID{s.Jobs[0].ID, s.Jobs[1].ID}))(t), map[ci.JobID][]ci.Artifact{})
	same(t, "time of erasing", must(v.Job(ctx, s.Jobs[0].ID))(t).ErasedAt, day)
	var keys []string
	for _, row := range must(v.Trash(ctx, 10))(t) {
		keys = append(keys, row.Kind+" "+row.Key)
	}
	same(t, "trash", keys, []string{"blob soon", "blob late", "blob archive-key", "blob archive-key", "blob junit-key", "log 1"})
	_, err = db.EraseJob(ctx, 999, day, w.User.ID)
	missing(t, "erase", err)

	// What changes apart from the pipeline survives a change that saw it before.
	s.Pipeline.Version++
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[:1]}, 0))
	same(t, "time of erasing after a change", must(v.Job(ctx, s.Jobs[0].ID))(t).ErasedAt, day)
}
