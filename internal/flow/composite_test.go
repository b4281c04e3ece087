package flow

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// model is contract/ci-yaml.md 8.2 once more, written from its text as plain
// conditions on words, without the table.
func model(set []string, dag bool) string {
	only := func(words string) bool {
		for _, s := range set {
			if !slices.Contains(strings.Fields(words), s) {
				return false
			}
		}
		return true
	}
	has := func(word string) bool { return slices.Contains(set, word) }
	switch {
	case len(set) == 0:
		return ""
	case dag && (has("skipped") || has("ignored")):
		return "skipped"
	case dag && !only("success failed canceled skipped warn"):
		return "pending"
	case only("skipped ignored"):
		return "skipped"
	case only("success skipped warn ignored"):
		return "success"
	case only("created warn ignored"):
		return "created"
	case only("preparing warn ignored"):
		return "preparing"
	case only("canceled success skipped warn ignored"):
		return "canceled"
	case only("pending created skipped warn ignored"):
		return "pending"
	case has("running"), has("pending"):
		return "running"
	}
	for _, word := range strings.Fields("waiting_for_resource waiting_for_callback manual scheduled preparing") {
		if has(word) {
			return word
		}
	}
	switch {
	case has("created"):
		return "running"
	case has("canceling"):
		return "canceling"
	}
	return "failed"
}

// standing makes a job that stands for a word of the model.
func standing(word string, canceledToo bool) ci.Job {
	switch word {
	case "warn":
		if canceledToo {
			return ci.Job{Status: ci.Canceled, AllowFailure: true}
		}
		return ci.Job{Status: ci.Failed, AllowFailure: true}
	case "ignored":
		return ci.Job{Status: ci.Manual, AllowFailure: true}
	case "manual", "failed", "canceled":
		return ci.Job{Status: ci.Status(word)}
	}
	// No other status cares whether the job is allowed to fail.
	return ci.Job{Status: ci.Status(word), AllowFailure: canceledToo}
}

// Every set of up to three symbols, in every order and with repetitions, comes to
// what the model says.
func TestCompositeAgreesWithModel(t *testing.T) {
	words := append([]string{""}, symbolNames...)
	sets := map[string]bool{}
	for _, x := range words {
		for _, y := range words {
			for _, z := range words {
				set := slices.DeleteFunc([]string{x, y, z}, func(s string) bool { return s == "" })
				for _, variant := range []bool{false, true} {
					jobs := []ci.Job{{Status: ci.Running, Retried: true}} // must not count
					for _, word := range set {
						jobs = append(jobs, standing(word, variant))
					}
					if got, want := Composite(jobs), ci.Status(model(set, false)); got != want {
						t.Errorf("Composite(%v) = %q, want %q", set, got, want)
					}
					if got, want := CompositeDAG(jobs), ci.Status(model(set, true)); got != want {
						t.Errorf("CompositeDAG(%v) = %q, want %q", set, got, want)
					}
				}
				slices.Sort(set)
				sets[strings.Join(slices.Compact(set), " ")] = true
			}
		}
	}
	if got, want := len(sets), 1+15+105+455; got != want {
		t.Errorf("checked %d sets, want %d", got, want)
	}
}

// The traps that the contract names.
func TestCompositeTraps(t *testing.T) {
	for _, test := range []struct{ jobs, want string }{
		{"success pending", "running"},
		{"success created", "running"},
		{"warn created", "created"},
		{"manual failed", "manual"},
		{"failed canceled", "failed"},
		{"success waiting_for_resource", "waiting_for_resource"}, // trace 11 of appendix B
		{"success waiting_for_resource running", "running"},
		{"success waiting_for_resource pending", "running"},
		{"success scheduled", "scheduled"},
		{"pending created", "pending"},
		{"skipped ignored", "skipped"},
	} {
		var jobs []ci.Job
		for word := range strings.FieldsSeq(test.jobs) {
			jobs = append(jobs, standing(word, false))
		}
		if got := Composite(jobs); got != ci.Status(test.want) {
			t.Errorf("Composite(%s) = %s, want %s", test.jobs, got, test.want)
		}
	}
}

// The rules beyond the table, for every status a pipeline or stage can come from.
func TestKeptStatuses(t *testing.T) {
	for _, from := range ci.Statuses {
		for _, composed := range append(slices.Clone(ci.Statuses), "") {
			stage, pipeline := composed, composed
			if composed == ci.Created || composed == "" {
				stage, pipeline = from, from
			}
			if composed == ci.Pending && slices.Contains([]ci.Status{"running", "success", "failed", "canceled", "canceling"}, from) {
				pipeline = ci.Running
			}
			if got := keptStage(from, composed); got != stage {
				t.Errorf("stage %s composed %q: got %s, want %s", from, composed, got, stage)
			}
			if got := keptPipeline(from, composed); got != pipeline {
				t.Errorf("pipeline %s composed %q: got %s, want %s", from, composed, got, pipeline)
			}
		}
	}
}
