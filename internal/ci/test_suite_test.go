package ci_test

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestTestSuite(t *testing.T) {
	for _, c := range []struct {
		name string
		plan ci.JobPlan
		want string
	}{
		{"rspec", ci.JobPlan{}, "rspec"},
		{"rspec 1/3", ci.JobPlan{Group: "rspec", NodeIndex: 1, NodeTotal: 3}, "rspec"},
		{"rspec 1/3", ci.JobPlan{}, "rspec"},
		{"rspec: 1 / 3 ", ci.JobPlan{}, "rspec"},
		{"unit:1:3", ci.JobPlan{}, "unit"},
		{"test: [linux, amd64]", ci.JobPlan{Group: "test", NodeIndex: 1, NodeTotal: 2}, "test: [linux, amd64]"},
		{"test: [linux, amd64]", ci.JobPlan{}, "test"},
		{"go 1.26", ci.JobPlan{}, "go 1.26"},
		{"1/2", ci.JobPlan{}, "1/2"},
	} {
		job := ci.Job{Name: c.name, Plan: c.plan}
		if got := job.TestSuite(); got != c.want {
			t.Errorf("%q %+v: got %q, want %q", c.name, c.plan, got, c.want)
		}
	}
}
