package flow

import "github.com/lanyard-ci/lanyard/internal/ci"

// symbols is a set of what jobs stand for when they are taken together: their
// status, but for failures and manual jobs that do not count.
type symbols uint16

const (
	created symbols = 1 << iota
	waiting
	preparing
	callback
	pending
	running
	success
	failed
	canceling
	canceled
	skipped
	manual
	scheduled
	warn    // failed or canceled, and allowed to
	ignored // manual, and nobody need play it
)

// symbolNames are the names of the symbols in the order of their bits.
var symbolNames = []string{
	"created", "waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running", "success", "failed",
	"canceling", "canceled", "skipped", "manual", "scheduled", "warn", "ignored",
}

// symbol is what one job stands for.
func symbol(j *ci.Job) symbols {
	switch j.Status {
	case ci.Created:
		return created
	case ci.WaitingForResource:
		return waiting
	case ci.Preparing:
		return preparing
	case ci.WaitingForCallback:
		return callback
	case ci.Pending:
		return pending
	case ci.Running:
		return running
	case ci.Success:
		return success
	case ci.Failed:
		return unless(j.AllowFailure, failed, warn)
	case ci.Canceling:
		return canceling
	case ci.Canceled:
		return unless(j.AllowFailure, canceled, warn)
	case ci.Skipped:
		return skipped
	case ci.Manual:
		return unless(j.AllowFailure, manual, ignored)
	case ci.Scheduled:
		return scheduled
	}
	return 0
}

func unless(allowed bool, counts, instead symbols) symbols {
	if allowed {
		return instead
	}
	return counts
}

// compose takes a set of symbols to a status by the first rule that holds, or to
// "" when the set is empty.
func compose(s symbols, dag bool) ci.Status {
	if s == 0 {
		return ""
	}
	for i := range composition {
		if composition[i].holds(s, dag) {
			return composition[i].result
		}
	}
	return "" // unreachable: the last rule has no condition
}

// Composite is the status that jobs have together, as a stage or a pipeline.
// Retried rows do not count; "" when there are no others. What a stage or
// pipeline shows depends on its past as well, so its stored status is the one to
// show (contract/ci-yaml.md 8.2).
func Composite(jobs []ci.Job) ci.Status { return compose(symbolsOf(jobs), false) }

// CompositeDAG is the status that jobs have together as the needs of a DAG job:
// pending while one of them is not done.
func CompositeDAG(jobs []ci.Job) ci.Status { return compose(symbolsOf(jobs), true) }

func symbolsOf(jobs []ci.Job) (s symbols) {
	for i := range jobs {
		if !jobs[i].Retried {
			s |= symbol(&jobs[i])
		}
	}
	return s
}
