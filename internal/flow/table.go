package flow

import (
	"slices"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// An event is what can happen to a job.
type event string

const (
	enqueue  event = "enqueue"
	await    event = "await"
	assign   event = "assign"
	hold     event = "hold"
	schedule event = "schedule"
	skip     event = "skip"
	take     event = "take"
	giveBack event = "give back"
	succeed  event = "succeed"
	drop     event = "drop"
	cancel   event = "cancel"
	windDown event = "wind down"
	revive   event = "revive"
)

// A transition takes a job to a status when the event meets it in one of from.
type transition struct {
	event event
	from  []ci.Status
	to    ci.Status
	why   string
}

// transitions is everything that a job can go through (contract/ci-yaml.md 8.1).
// A job that is retried does not move: a new row takes its place. GitLab's
// waiting_for_callback and preparing are not entered here, since this server has no
// prerequisites.
var transitions = []transition{
	{enqueue, []ci.Status{ci.Created}, ci.Pending,
		"what it waits for is done, and its `when` agrees"},
	{enqueue, []ci.Status{ci.Manual, ci.Scheduled}, ci.Pending,
		"it was played, or its time has come"},
	{await, []ci.Status{ci.Created, ci.Manual, ci.Scheduled}, ci.WaitingForResource,
		"as enqueue, but only one job of its resource group may be on its way"},
	{assign, []ci.Status{ci.WaitingForResource}, ci.Pending,
		"the resource group is free, and it is the job's turn"},
	{hold, []ci.Status{ci.Created}, ci.Manual,
		"as enqueue, but somebody must play it"},
	{schedule, []ci.Status{ci.Created}, ci.Scheduled,
		"as enqueue, but `start_in` counts from now"},
	{skip, []ci.Status{ci.Created}, ci.Skipped,
		"what it waits for is done, and its `when` does not agree"},
	{revive, []ci.Status{ci.Skipped}, ci.Created,
		"a job that it depends on runs again, or the pipeline is retried"},
	{take, []ci.Status{ci.Pending}, ci.Running,
		"a runner took it"},
	{giveBack, []ci.Status{ci.Running}, ci.Pending,
		"the runner never learned that it has the job"},
	{giveBack, []ci.Status{ci.Canceling}, ci.Canceled,
		"canceled before the runner learned that it has the job"},
	{succeed, []ci.Status{ci.Running}, ci.Success,
		"the runner reports success"},
	{succeed, []ci.Status{ci.Canceling}, ci.Canceled,
		"a canceled job stays canceled, whatever the runner reports"},
	{drop, []ci.Status{ci.Created, ci.WaitingForResource, ci.Pending, ci.Running, ci.Manual, ci.Scheduled}, ci.Failed,
		"the runner reports a failure, or the server gives the job up"},
	{drop, []ci.Status{ci.Canceling}, ci.Canceled,
		"a canceled job stays canceled, whatever the runner reports"},
	{windDown, []ci.Status{ci.Running}, ci.Canceling,
		"canceled; its runner can stop it gently and run `after_script`"},
	{cancel, []ci.Status{ci.Created, ci.WaitingForResource, ci.Pending, ci.Running, ci.Manual, ci.Scheduled}, ci.Canceled,
		"canceled; its runner, if any, cannot stop it gently or need not"},
	{cancel, []ci.Status{ci.Canceling}, ci.Canceled,
		"forced: its runner is not waited for"},
}

// next gives the status in which e leaves a job that is in from; ok is false when
// the table has no such transition.
func next(e event, from ci.Status) (to ci.Status, ok bool) {
	for i := range transitions {
		if t := &transitions[i]; t.event == e && slices.Contains(t.from, from) {
			return t.to, true
		}
	}
	return from, false
}

// A rule of composition: what a set of symbols comes to. The conditions that are
// set must all hold; a rule without conditions holds always.
type rule struct {
	name   string
	dag    bool    // counts only when the jobs are the needs of a DAG job
	any    symbols // at least one of these is there
	only   symbols // nothing but these is there
	beyond symbols // something else than these is there
	result ci.Status
	why    string
}

// composition says what the jobs of a stage, of a pipeline, or those that a job
// waits for come to: the first rule that holds decides (contract/ci-yaml.md 8.2).
// The order is GitLab's and not intuitive: each rule that names one status comes
// after those that are content with less.
var composition = []rule{
	{name: "D1", dag: true, any: skipped | ignored, result: ci.Skipped,
		why: "a need that does not run takes its dependents with it, even while others still run"},
	{name: "D2", dag: true, beyond: success | failed | canceled | skipped | warn, result: ci.Pending,
		why: "not every need is done: wait"},
	{name: "1", only: skipped | ignored, result: ci.Skipped,
		why: "nothing runs"},
	{name: "2", only: success | skipped | warn | ignored, result: ci.Success,
		why: "all that counts went well"},
	{name: "3", only: created | warn | ignored, result: ci.Created,
		why: "nothing has begun"},
	{name: "4", only: preparing | warn | ignored, result: ci.Preparing,
		why: "everything prepares"},
	{name: "5", only: canceled | success | skipped | warn | ignored, result: ci.Canceled,
		why: "done, and at least one was canceled"},
	{name: "6", only: pending | created | skipped | warn | ignored, result: ci.Pending,
		why: "the first ones are offered; success is not in this list, so that a pipeline between two jobs is running"},
	{name: "7", any: running | pending, result: ci.Running,
		why: "something is on its way"},
	{name: "8", any: waiting, result: ci.WaitingForResource,
		why: "a resource is taken"},
	{name: "9", any: callback, result: ci.WaitingForCallback,
		why: "an answer from outside is missing"},
	{name: "10", any: manual, result: ci.Manual,
		why: "blocked until somebody plays it, even when others failed"},
	{name: "11", any: scheduled, result: ci.Scheduled,
		why: "nothing but time is missing"},
	{name: "12", any: preparing, result: ci.Preparing,
		why: "some prepare, others are done"},
	{name: "13", any: created, result: ci.Running,
		why: "between two jobs"},
	{name: "14", any: canceling, result: ci.Canceling,
		why: "a canceled job winds down"},
	{name: "15", result: ci.Failed,
		why: "done, and at least one failed"},
}

// holds reports whether the rule decides for the set s.
func (r *rule) holds(s symbols, dag bool) bool {
	return (dag || !r.dag) &&
		(r.any == 0 || s&r.any != 0) &&
		(r.only == 0 || s&^r.only == 0) &&
		(r.beyond == 0 || s&^r.beyond != 0)
}

// ready lists what the jobs before must have come to for a job with this `when`
// to start; any other end skips it (contract/ci-yaml.md 8.3). For a DAG job a
// skipped need is not good enough, except for `always`.
func ready(when ci.When, dag bool, prior ci.Status) bool {
	switch when {
	case ci.WhenAlways:
		return prior == ci.Success || prior == ci.Failed || prior == ci.Skipped
	case ci.WhenOnFailure:
		return prior == ci.Failed
	case ci.WhenOnSuccess, ci.WhenManual, ci.WhenDelayed:
	}
	return prior == ci.Success || prior == ci.Skipped && !dag
}

// keptStage applies the first rule beyond the table to a stage: it never goes
// back to created. "" stands for no jobs.
func keptStage(from, composed ci.Status) ci.Status {
	if composed == ci.Created || composed == "" {
		return from
	}
	return composed
}

// keptPipeline applies the rules beyond the table to a pipeline: it never goes
// back to created, and one that runs or has ended is running rather than pending.
// From skipped and manual it does become pending. (The third rule, on the retry of
// manual jobs, is in Retry and RetryPipeline.)
func keptPipeline(from, composed ci.Status) ci.Status {
	if composed == ci.Pending {
		switch from {
		case ci.Running, ci.Success, ci.Failed, ci.Canceling, ci.Canceled:
			return ci.Running
		}
	}
	return keptStage(from, composed)
}
