package flow

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Jobs with a resource group wait until they are given it (contract/ci-yaml.md 7.6).
func TestResourceGroups(t *testing.T) {
	tell(t, []story{
		{"it waits, is given the group, runs", []string{"b1", "t1 group=prod", "d1"}, []string{
			"start => b1=pending t1=created pipeline=pending",
			"pass b1 => t1=waiting_for_resource test=waiting_for_resource pipeline=waiting_for_resource",
			"assign t1 => t1=pending test=pending pipeline=running",
			"claim t1 => t1=running",
			"unassign t1 => t1=pending",
			"pass t1 => t1=success d1=pending",
		}},
		{"at the start, beside others", []string{"b1 group=prod", "b2"}, []string{
			"start => b1=waiting_for_resource b2=pending pipeline=running",
			"assign b1 => b1=pending",
		}},
		{"alone", []string{"b1 group=prod"}, []string{
			"start => b1=waiting_for_resource build=waiting_for_resource pipeline=waiting_for_resource",
			"assign b1 => b1=pending pipeline=pending",
		}},
		{"canceled while it waits", []string{"b1 group=prod", "t1"}, []string{
			"start => b1=waiting_for_resource",
			"cancel b1 => b1=canceled t1=skipped pipeline=canceled",
		}},
		{"the pipeline is canceled", []string{"b1 group=prod", "t1"}, []string{
			"start => b1=waiting_for_resource",
			"cancel => b1=canceled t1=canceled pipeline=canceled",
		}},
		{"dropped while it waits", []string{"b1 group=prod"}, []string{
			"start => b1=waiting_for_resource",
			"drop b1 stuck_or_timeout_failure => b1=failed",
		}},
		{"played, and delayed", []string{"b1 manual group=prod", "b2 delayed=60 group=prod", "b3 delayed=60 group=prod"}, []string{
			"start => b1=manual b2=scheduled",
			"play b1 => b1=waiting_for_resource",
			"play b2 => b2=waiting_for_resource",
			"wait 2m => b3=waiting_for_resource",
			"wait 48h => b1=waiting_for_resource b3=waiting_for_resource",
		}},
		{"tried again", []string{"b1 retry=1 group=prod"}, []string{
			"start => b1=waiting_for_resource",
			"assign b1 => b1=pending",
			"fail b1 => b1=waiting_for_resource",
			"assign b1 => b1=pending",
			"fail b1 => b1=failed",
			"retry b1 => b1=waiting_for_resource",
		}},
		{"DAG jobs wait for one that waits", []string{"b1 group=prod", "t1 needs=b1"}, []string{
			"start => b1=waiting_for_resource t1=created",
			"assign b1 => b1=pending t1=created",
			"pass b1 => t1=pending",
		}},
	})
}

func TestAssignRefused(t *testing.T) {
	w := begin(t, "b1 group=prod", "b2")
	if _, err := Assign(w.s, w.job("b2").ID, w.now); ci.KindOf(err) != ci.KindConflict {
		t.Errorf("job that does not wait: got error %v, want a conflict", err)
	}
	if _, err := Assign(w.s, 999, w.now); !ci.IsNotFound(err) {
		t.Errorf("no such job: got error %v, want not found", err)
	}
}
