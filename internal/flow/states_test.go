package flow

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

var update = flag.Bool("update", false, "write docs/states.md anew from the tables")

// docs/states.md is what the tables say, so it cannot lie.
func TestStatesDocument(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "states.md")
	want := statesDocument()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/states.md does not match the tables in internal/flow; run: go test ./internal/flow -run States -update")
	}
}

func statesDocument() []byte {
	var b bytes.Buffer
	b.WriteString(`# Jobs, stages and pipelines: how they move

This page is generated from the tables in ` + "`internal/flow/table.go`" + ` by
` + "`go test ./internal/flow -run States -update`" + `. Do not edit it by hand.

## What a job goes through

A job that is retried does not move: a new row of the same name takes its place, and the old one counts no longer.

` + "```mermaid" + `
stateDiagram-v2
    [*] --> created
`)
	for _, e := range edges() {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", e.from, e.to, e.events)
	}
	b.WriteString("    success --> [*]\n    failed --> [*]\n    canceled --> [*]\n    skipped --> [*]\n```\n\n")
	b.WriteString("| Event | From | To | Why |\n| --- | --- | --- | --- |\n")
	for _, row := range transitions {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.event, joined(row.from), row.to, row.why)
	}
	b.WriteString(`
## What jobs come to together

A stage and a pipeline have the status that their jobs come to. Rows that were retried do not count. Each job stands for
its status, but a failed or canceled job that is allowed to fail stands for *warn*, and a manual job that is allowed to
fail for *ignored*. The first rule that holds decides. D1 and D2 count only for the needs of a job that is scheduled by
` + "`needs`" + `.

| Rule | Holds when there is | Status | Meaning |
| --- | --- | --- | --- |
`)
	for i := range composition {
		r := &composition[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.name, r.condition(), r.result, r.why)
	}
	b.WriteString(`
Three rules look at the past as well:

1. A stage or pipeline never goes back to created: where the table says created, it keeps the status that it has.
2. A pipeline that runs or has ended is running rather than pending. One that was skipped or is manual does become pending.
3. A manual job that is retried on its own starts at once; when the whole pipeline is retried, it waits to be played.

## When a job starts

A job looks at what all jobs of all earlier stages come to or, if it has ` + "`needs`" + `, at what those come to. It waits until that is
success, failed, canceled or skipped. Then it starts if its ` + "`when`" + ` agrees, and is skipped if not.

| when | by stages: starts after | by needs: starts after |
| --- | --- | --- |
`)
	for _, when := range []ci.When{ci.WhenOnSuccess, ci.WhenManual, ci.WhenDelayed, ci.WhenOnFailure, ci.WhenAlways} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", when, priors(when, false), priors(when, true))
	}
	return b.Bytes()
}

type edge struct {
	from, to ci.Status
	events   string
}

// edges are the arrows of the picture: one for each pair, with all its events.
func edges() []edge {
	var list []edge
	for _, row := range transitions {
		for _, from := range row.from {
			i := slices.IndexFunc(list, func(e edge) bool { return e.from == from && e.to == row.to })
			if i < 0 {
				list = append(list, edge{from, row.to, string(row.event)})
			} else {
				list[i].events += ", " + string(row.event)
			}
		}
	}
	return list
}

func joined(list []ci.Status) string {
	var words []string
	for _, s := range list {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

func (r *rule) condition() string {
	switch {
	case r.any != 0:
		return "any " + r.any.words(" or ")
	case r.only != 0:
		return "only " + r.only.words(", ")
	case r.beyond != 0:
		return "anything but " + r.beyond.words(", ")
	}
	return "anything else"
}

func (s symbols) words(separator string) string {
	var words []string
	for i, name := range symbolNames {
		if s&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, separator)
}

func priors(when ci.When, dag bool) string {
	var list []ci.Status
	for _, prior := range ci.Statuses {
		if ready(when, dag, prior) {
			list = append(list, prior)
		}
	}
	return joined(list)
}

// The tables are well formed: known statuses, one outcome for each event and
// status, every status reached, and a last rule that always holds.
func TestTables(t *testing.T) {
	seen := map[string]bool{}
	reached := map[ci.Status]bool{ci.Created: true}
	for _, row := range transitions {
		if !row.to.Valid() || row.why == "" {
			t.Errorf("%s to %q: unknown status or no reason", row.event, row.to)
		}
		reached[row.to] = true
		for _, from := range row.from {
			key := fmt.Sprint(row.event, " ", from)
			if !from.Valid() || seen[key] {
				t.Errorf("%s: unknown status, or twice in the table", key)
			}
			seen[key] = true
			if from.Complete() && row.event != revive {
				t.Errorf("%s moves a finished job", key)
			}
		}
	}
	for _, s := range ci.Statuses {
		unused := s == ci.Preparing || s == ci.WaitingForCallback
		if reached[s] == unused {
			t.Errorf("reached %s: %t", s, reached[s])
		}
		if got := symbol(&ci.Job{Status: s}); got == 0 || got&(got-1) != 0 {
			t.Errorf("symbol of %s is %b, want one bit", s, got)
		}
	}
	last := composition[len(composition)-1]
	if last.any|last.only|last.beyond != 0 || last.dag {
		t.Errorf("the last rule has a condition")
	}
}
