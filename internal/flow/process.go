package flow

import (
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// settle is the processing pass (contract/ci-yaml.md 8.3): stage by stage, every
// created job whose turn has come is started or skipped, then the statuses of
// stage and pipeline follow. A new status counts at once for the jobs that come
// later in the pass, so one pass is enough.
func (b *board) settle() {
	p := pass{board: b, seen: make([]bool, len(b.jobs))}
	stages := b.pipeline.Stages // in the order of their indexes, as Start made them
	var all symbols
	for index, rows := range b.columns() {
		if len(rows) == 0 {
			continue
		}
		p.prior = before(all, false)
		for _, i := range rows {
			p.visit(i)
		}
		var here symbols
		for _, i := range rows {
			here |= symbol(b.jobs[i])
		}
		all |= here
		for len(stages) > 0 && stages[0].Index < index {
			stages = stages[1:]
		}
		if len(stages) > 0 && stages[0].Index == index {
			stages[0].Status = keptStage(stages[0].Status, compose(here, false))
		}
	}
	b.setStatus(keptPipeline(b.pipeline.Status, compose(all, false)))
}

// columns gives the rows that count by the index of their stage, each column in
// the order of the rows.
func (b *board) columns() [][]int {
	last, count := -1, 0
	for _, j := range b.jobs {
		if !j.Retried {
			last, count = max(last, j.StageIndex), count+1
		}
	}
	sizes := make([]int, last+1)
	for _, j := range b.jobs {
		if !j.Retried {
			sizes[j.StageIndex]++
		}
	}
	columns, room := make([][]int, last+1), make([]int, count)
	for index, n := range sizes {
		columns[index], room = room[:0:n], room[n:]
	}
	for i, j := range b.jobs {
		if !j.Retried {
			columns[j.StageIndex] = append(columns[j.StageIndex], i)
		}
	}
	return columns
}

// before is what the jobs that one waits for come to; none is as good as success.
func before(s symbols, dag bool) ci.Status {
	if s == 0 {
		return ci.Success
	}
	return compose(s, dag)
}

// A pass visits each created job once, after those of the same stage that it needs.
type pass struct {
	*board
	prior ci.Status // of all jobs of all earlier stages
	seen  []bool    // protects against cycles too, which the compiler refuses
}

func (p *pass) visit(i int) {
	j := p.jobs[i]
	if p.seen[i] || j.Status != ci.Created {
		return
	}
	p.seen[i] = true
	prior := p.prior
	if j.Plan.DAG {
		prior = p.needs(j)
	}
	switch {
	case !prior.Complete():
	case !ready(j.Plan.When, j.Plan.DAG, prior):
		p.move(i, skip)
	case j.Plan.When == ci.WhenManual && !j.Played:
		p.move(i, hold)
	case j.Plan.When == ci.WhenDelayed && !j.Played:
		p.move(i, schedule)
	default:
		p.start(i)
	}
}

// needs is what the needs of a DAG job come to. A need that the pipeline lacks was
// optional and does not count.
func (p *pass) needs(j *ci.Job) ci.Status {
	var s symbols
	for n := range j.Plan.Needs {
		k, ok := p.named(j.Plan.Needs[n].Job)
		if !ok {
			continue
		}
		if p.jobs[k].StageIndex == j.StageIndex {
			p.visit(k)
		}
		s |= symbol(p.jobs[k])
	}
	return before(s, true)
}

// setStatus gives the pipeline its status and the times that belong to it
// (contract/trigger-api.md 5.1). Only the first move to running sets StartedAt, and
// only from the statuses listed there: as in GitLab, one that goes straight from
// manual to running has none. FinishedAt stays while a pipeline runs again.
func (b *board) setStatus(to ci.Status) {
	p := &b.pipeline
	from := p.Status
	if to == from {
		return
	}
	p.Status, p.UpdatedAt = to, b.now
	switch to {
	case ci.Running:
		switch from {
		case ci.Created, ci.WaitingForResource, ci.WaitingForCallback, ci.Preparing, ci.Pending:
			if p.StartedAt.IsZero() {
				p.StartedAt = b.now
			}
		}
	case ci.Success, ci.Failed, ci.Canceled:
		p.FinishedAt = b.now
		p.Duration = b.duration()
	case ci.Manual:
		p.Duration = b.duration()
	}
}

// duration is for how many whole seconds at least one of the jobs that count ran.
// While none ever ran it is what the pipeline has.
func (b *board) duration() int64 {
	var periods [][2]time.Time
	for _, j := range b.jobs {
		if j.Retried || j.StartedAt.IsZero() {
			continue
		}
		end := j.FinishedAt
		if end.IsZero() {
			end = b.now
		}
		periods = append(periods, [2]time.Time{j.StartedAt, end})
	}
	if len(periods) == 0 {
		return b.pipeline.Duration
	}
	slices.SortFunc(periods, func(x, y [2]time.Time) int { return x[0].Compare(y[0]) })
	var total time.Duration
	until := periods[0][0]
	for _, period := range periods {
		start, end := period[0], period[1]
		if start.Before(until) {
			start = until
		}
		if end.After(start) {
			total += end.Sub(start)
			until = end
		}
	}
	return int64(total / time.Second)
}
