package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// priced sets a scene whose configuration has n jobs and is known already.
func priced(t *testing.T, n int) (*scene, engine.TriggerRequest) {
	t.Helper()
	s := newScene(t, enginetest.New(t, enginetest.Config{}), fmt.Sprintf("priced%d", n), configOf(n))
	request := enginetest.Request(s.project, s.token, "main", "COLOR", "red")
	enginetest.Must(s.Engine.Trigger(t.Context(), request))(t)
	return s, request
}

// What a trigger asks the database does not depend on its number of jobs.
func TestStatementsOfATrigger(t *testing.T) {
	var costs [][]string
	for _, n := range []int{5, 200} {
		s, request := priced(t, n)
		statements := s.Statements.During(func() { enginetest.Must(s.Engine.Trigger(t.Context(), request))(t) })
		costs = append(costs, statements)
		enginetest.Equal(t, "jobs", len(s.Snapshot(s.latest().ID).Jobs), n)
	}
	const want = 8 // two reads, four inserts, begin and commit
	if len(costs[0]) != want {
		t.Errorf("5 jobs: got %d statements, want %d:\n%s", len(costs[0]), want, strings.Join(costs[0], "\n"))
	}
	if !slices.Equal(costs[0], costs[1]) {
		t.Errorf("200 jobs take other statements:\n%s\nthan 5:\n%s", strings.Join(costs[1], "\n"), strings.Join(costs[0], "\n"))
	}
}

// A ceiling on the memory that a trigger takes, that of the database's driver
// included: half as much again as was measured.
func TestAllocationsOfATrigger(t *testing.T) {
	for n, ceiling := range map[int]float64{5: 880, 200: 4800} {
		s, request := priced(t, n)
		got := testing.AllocsPerRun(50, func() {
			if _, err := s.Engine.Trigger(t.Context(), request); err != nil {
				t.Error(err)
			}
		})
		if got > ceiling {
			t.Errorf("%d jobs: got %.0f allocations, want at most %.0f", n, got, ceiling)
		}
		t.Logf("%d jobs: %.0f allocations", n, got)
	}
}

// A refused trigger does not cost more than one that is not.
func TestStatementsOfRefusals(t *testing.T) {
	s, request := priced(t, 5)
	for _, test := range []struct {
		what  string
		setup func()
		most  int
	}{
		{"unknown token", func() { request.Token += "x" }, 3},
		{"token of nobody who may", func() { request.Token = s.token; s.as(ci.Reporter) }, 4},
		{"unknown ref", func() { s.as(ci.Developer); request.Ref = "nope" }, 5},
	} {
		test.setup()
		statements := s.Statements.During(func() {
			if _, err := s.Engine.Trigger(t.Context(), request); err == nil {
				t.Errorf("%s: no error", test.what)
			}
		})
		if len(statements) > test.most {
			t.Errorf("%s: got %d statements, want at most %d:\n%s", test.what, len(statements), test.most, strings.Join(statements, "\n"))
		}
	}
}
