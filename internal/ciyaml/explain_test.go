package ciyaml_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// TestExplain reads testdata/explain/*.txtar: cases like those of the corpus, whose
// answer is explain.txt.
func TestExplain(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d cases, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &corpusCase{source: mapSource{}}
			var answer *txtar.File
			for i := range archive.Files {
				switch f := &archive.Files[i]; f.Name {
				case "input.json":
					if err := json.Unmarshal(f.Data, &c.input); err != nil {
						t.Fatal(err)
					}
				case "explain.txt":
					answer = f
				default:
					c.source[f.Name] = string(f.Data)
				}
			}
			got := explained(t, c)
			if *update {
				answer.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(answer.Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// explained is the text of the explanation, with the diagnostics of the pipeline
// before it. Variables whose name begins with SECRET are secret.
func explained(t *testing.T, c *corpusCase) string {
	config, _, diags := ciyaml.Load(t.Context(), c.source, rootInput)
	if diags.Failed() {
		t.Fatal(diags)
	}
	in := c.event(t)
	for i := range in.Overrides {
		in.Overrides[i].Secret = strings.HasPrefix(in.Overrides[i].Key, "SECRET")
	}
	plan, explanation, diags := config.Explain(in)
	checkExplanation(t, plan, explanation)
	text := explanation.Text()
	if diags.Failed() {
		text = diagnosticLines(diags) + text
	}
	return text
}

// checkExplanation holds that the explanation says the same as the plan.
func checkExplanation(t *testing.T, plan *ciyaml.Plan, e *ciyaml.Explanation) {
	t.Helper()
	if plan == nil {
		return
	}
	var in []string
	for _, d := range e.Jobs {
		if !d.In {
			continue
		}
		in = append(in, d.Job)
		job := plan.Jobs[slices.IndexFunc(plan.Jobs, func(j ciyaml.Job) bool { return j.Name == d.Job })]
		if d.When != job.When || d.StartIn != job.StartIn || d.AllowFailure != job.AllowFailure {
			t.Errorf("job %s: explained as %s %d %v, planned as %s %d %v", d.Job, d.When, d.StartIn, d.AllowFailure, job.When, job.StartIn, job.AllowFailure)
		}
	}
	if want := names(plan); !slices.Equal(in, want) {
		t.Errorf("explained as in: %q, planned: %q", in, want)
	}
}

// TestExplainCorpus holds for every case of the corpus that the explanation agrees
// with the plan.
func TestExplainCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		c, err := readCase(file)
		if err != nil {
			t.Fatal(err)
		}
		in := rootInput
		in.Variables = func(name string) (string, bool) {
			value, set := c.input.IncludeVariables[name]
			return value, set
		}
		config, _, diags := ciyaml.Load(t.Context(), c.source, in)
		if diags.Failed() {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			want, wrong := config.Pipeline(c.event(t))
			got, explanation, diags := config.Explain(c.event(t))
			if diff := cmp.Diff(wrong, diags); diff != "" || (got == nil) != (want == nil) {
				t.Errorf("Explain and Pipeline differ: %s", diff)
			}
			checkExplanation(t, got, explanation)
		})
		seen++
	}
	if seen < 40 {
		t.Errorf("only %d cases of the corpus make a pipeline", seen)
	}
}

// TestExplainLimit holds that few lines do not make an explanation without end,
// and that what decides is there all the same.
func TestExplainLimit(t *testing.T) {
	var b strings.Builder
	b.WriteString("a:\n  script: x\n  parallel: 200\n  rules:\n")
	for range 2000 {
		b.WriteString("  - if: $LONG == \"x\"\n")
	}
	b.WriteString("  - when: manual\n")
	config := load(t, b.String())
	in := branch()
	in.Overrides = append(in.Overrides, ciyaml.Variable{Key: "LONG", Value: strings.Repeat("long ", 200)})
	plan, e, diags := config.Explain(in)
	if diags.Failed() {
		t.Fatal(diags)
	}
	checkExplanation(t, plan, e)
	if got := len(e.Text()); got > 32<<20 {
		t.Errorf("the text has %d bytes", got)
	}
	last := e.Jobs[199]
	if last.Omitted != 2000 || last.Rule == nil || last.Rule.Number != 2001 || last.When != "manual" {
		t.Errorf("got %+v", last)
	}
}

func BenchmarkExplain(b *testing.B) {
	config := load(b, firstJobs(40))
	in := serverInput()
	b.ReportAllocs()
	for b.Loop() {
		if _, e, _ := config.Explain(in); len(e.Jobs) != 40 {
			b.Fatal(len(e.Jobs))
		}
	}
}
