package flow

import (
	"reflect"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A board is a pipeline while a decision about it is made. It begins as the
// snapshot and copies a row only when that is first written, so that a decision on
// a pipeline of thousands of jobs touches few of them.
type board struct {
	from     *ci.Snapshot
	now      time.Time
	pipeline ci.Pipeline
	jobs     []*ci.Job      // the rows of from, or their changed copies; then the new rows
	names    map[string]int // the row that counts for each name; nil until asked for
}

// newBoard lays out a snapshot.
func newBoard(s *ci.Snapshot, now time.Time) *board {
	b := &board{from: s, now: now, pipeline: s.Pipeline, jobs: make([]*ci.Job, len(s.Jobs), len(s.Jobs)+1)}
	b.pipeline.Stages = slices.Clone(s.Pipeline.Stages)
	for i := range s.Jobs {
		b.jobs[i] = &s.Jobs[i]
	}
	return b
}

// decide is the form of every decision on one job: act moves it, the rest of the
// pipeline follows. When act refuses, nothing changes.
func decide(s *ci.Snapshot, id ci.JobID, now time.Time, act func(b *board, i int) error) (ci.Changes, error) {
	b := newBoard(s, now)
	i := slices.IndexFunc(b.jobs, func(j *ci.Job) bool { return j.ID == id })
	if i < 0 {
		return ci.Changes{}, ci.NoRecord()
	}
	if err := act(b, i); err != nil {
		return ci.Changes{}, err
	}
	b.settle()
	return b.changes(), nil
}

// edit gives row i for writing.
func (b *board) edit(i int) *ci.Job {
	if i < len(b.from.Jobs) && b.jobs[i] == &b.from.Jobs[i] {
		row := b.from.Jobs[i]
		b.jobs[i] = &row
	}
	return b.jobs[i]
}

// add appends a new row, which counts for its name from now on.
func (b *board) add(row *ci.Job) int {
	b.jobs = append(b.jobs, row)
	b.names = nil
	return len(b.jobs) - 1
}

// named finds the row that counts for a name.
func (b *board) named(name string) (int, bool) {
	if b.names == nil {
		b.names = make(map[string]int, len(b.jobs))
		for i, j := range b.jobs {
			if !j.Retried {
				b.names[j.Name] = i
			}
		}
	}
	i, ok := b.names[name]
	return i, ok
}

// move carries out e on row i, with the times that belong to the new status. It
// reports whether the table allows it.
func (b *board) move(i int, e event) bool {
	to, ok := next(e, b.jobs[i].Status)
	if !ok {
		return false
	}
	j := b.edit(i)
	j.Status = to
	switch to {
	case ci.Pending:
		j.QueuedAt = b.now
	case ci.Running:
		j.StartedAt = b.now
	case ci.Success, ci.Failed, ci.Canceled:
		j.FinishedAt = b.now
	case ci.Scheduled:
		j.ScheduledAt = b.now.Add(time.Duration(j.Plan.StartIn) * time.Second)
	}
	return true
}

// changes lists what differs from the snapshot.
func (b *board) changes() ci.Changes {
	var changed, started []*ci.Job
	known := len(b.from.Jobs)
	for i, j := range b.jobs {
		was := ci.Created // of a new row
		if i < known {
			if !differs(j, &b.from.Jobs[i]) {
				continue
			}
			changed, was = append(changed, j), b.from.Jobs[i].Status
		}
		if j.Status == ci.Pending && was != ci.Pending {
			started = append(started, j)
		}
	}
	return ci.Changes{
		Pipeline: b.pipeline, Moved: !reflect.DeepEqual(b.pipeline, b.from.Pipeline),
		Jobs: values(changed), New: values(b.jobs[known:]), Started: values(started),
	}
}

// differs reports whether a row is not what it was. One that was revived and then
// skipped again by the same pass is.
func differs(j, old *ci.Job) bool {
	if j == old || j.Status == ci.Skipped && old.Status == ci.Skipped {
		return false
	}
	return !reflect.DeepEqual(j, old)
}

func values(rows []*ci.Job) []ci.Job {
	if len(rows) == 0 {
		return nil
	}
	list := make([]ci.Job, len(rows))
	for i, j := range rows {
		list[i] = *j
	}
	return list
}
