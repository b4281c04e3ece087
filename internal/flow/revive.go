package flow

import "github.com/lanyard-ci/lanyard/internal/ci"

// reviveAfter puts the skipped jobs that depend on row i, which runs again, back to
// created (contract/ci-yaml.md 8.4). The pass then decides on them anew. Jobs wait
// for all earlier stages, DAG jobs for their needs, through any number of others.
func (b *board) reviveAfter(i int, user ci.UserID) {
	d := dependents{board: b, of: i, known: make([]answer, len(b.jobs))}
	for k, j := range b.jobs {
		if !j.Retried && j.Status == ci.Skipped && d.has(k) {
			b.reviveRow(k, user)
		}
	}
}

// reviveRow puts one skipped job back. Whoever brings it back is its user from then
// on: it acts with that user's rights.
func (b *board) reviveRow(i int, user ci.UserID) {
	if b.move(i, revive) {
		b.edit(i).UserID = user
	}
}

type answer uint8

const (
	unknown answer = iota
	no
	yes
)

// dependents answers which jobs depend on one, asking about each job once.
type dependents struct {
	*board
	of    int
	known []answer
}

func (d *dependents) has(i int) bool {
	if d.known[i] == unknown {
		d.known[i] = no // while it is being found out: ends cycles
		if d.find(i) {
			d.known[i] = yes
		}
	}
	return d.known[i] == yes
}

func (d *dependents) find(i int) bool {
	j := d.jobs[i]
	if !j.Plan.DAG {
		return j.StageIndex > d.jobs[d.of].StageIndex
	}
	for n := range j.Plan.Needs {
		if k, ok := d.named(j.Plan.Needs[n].Job); ok && (k == d.of || d.has(k)) {
			return true
		}
	}
	return false
}
