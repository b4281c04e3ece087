package ciyaml_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/templates"
)

// Whatever is in the files, compiling ends without a panic, says the same when
// it is asked again, and blames places that are in the files.
func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		c, err := readCase(file)
		if err != nil {
			f.Fatal(err)
		}
		included := ""
		for name, content := range c.source {
			if name != ".gitlab-ci.yml" && included < content {
				included = content
			}
		}
		f.Add(c.source[".gitlab-ci.yml"], included)
	}
	f.Fuzz(func(t *testing.T, root, included string) {
		source := mapSource{".gitlab-ci.yml": root, "a.yml": included, "ci/x.yml": included}
		in := branch()
		in.Paths = func() ([]string, error) { return source.Paths(t.Context(), "", "") }
		in.Modified = func() ([]string, bool, error) { return []string{"a.yml", "src/a.go"}, true, nil }
		in.ModifiedSince = func(ref string) ([]string, error) { return []string{ref, "src/a.go"}, nil }
		in.ProjectPaths = func(project, ref string) ([]string, error) { return []string{project, ref, "Dockerfile"}, nil }
		first, second := compile(t, source, in), compile(t, source, in)
		if first != second {
			t.Errorf("not the same twice (-first +second):\n%s", cmp.Diff(first, second))
		}
	})
}

// compile makes a text of all that comes out.
func compile(t *testing.T, source mapSource, in ciyaml.Input) string {
	config, reads, diags := ciyaml.Load(t.Context(), source, rootInput)
	checkPlaces(t, source, diags)
	out := fmt.Sprintf("%+v\n%v\n", reads, diags)
	if (config == nil) != diags.Failed() {
		t.Fatalf("config is nil: %v, but the diagnostics say %v", config == nil, diags)
	}
	if config == nil {
		return out
	}
	plan, diags := config.Pipeline(in)
	checkPlaces(t, source, diags)
	if (plan == nil) != diags.Failed() {
		t.Fatalf("plan is nil: %v, but the diagnostics say %v", plan == nil, diags)
	}
	if plan == nil {
		return out + fmt.Sprint(diags)
	}
	checkPlan(t, plan)
	return out + planLines(t, plan)
}

func checkPlaces(t *testing.T, source mapSource, diags ciyaml.Diagnostics) {
	for _, d := range diags {
		content, ok := source[d.Pos.File]
		if template, found := templates.Read(d.Pos.File); found {
			content, ok = string(template), true
		}
		if !ok {
			t.Fatalf("%v: no such file", d)
		}
		lines := strings.Split(content, "\n")
		if d.Pos.Line < 1 || d.Pos.Col < 1 {
			t.Fatalf("%v: no place", d)
		}
		if strings.ContainsAny(content, "\r\u0085\u2028\u2029") {
			continue // YAML counts other line breaks, too
		}
		if d.Pos.Line > len(lines) || d.Pos.Col > utf8.RuneCountInString(lines[d.Pos.Line-1])+1 {
			t.Fatalf("%v: not in the file", d)
		}
	}
}

// checkPlan checks what every plan promises.
func checkPlan(t *testing.T, p *ciyaml.Plan) {
	seen := map[string]bool{}
	stage := -1
	var stages []string
	for _, job := range p.Jobs {
		if seen[job.Name] {
			t.Fatalf("two jobs are called %q", job.Name)
		}
		seen[job.Name] = true
		if job.StageIndex < stage {
			t.Fatalf("%q is out of order", job.Name)
		}
		if job.StageIndex > stage {
			stage = job.StageIndex
			stages = append(stages, job.Stage)
		}
		checkJSON(t, job)
		if len(job.Needs) > 0 && !job.DAG || len(job.Needs) > 50 {
			t.Fatalf("%q has %d needs", job.Name, len(job.Needs))
		}
	}
	if !slices.Equal(stages, p.Stages) {
		t.Fatalf("stages are %q, jobs have %q", p.Stages, stages)
	}
	for _, job := range p.Jobs {
		for _, need := range job.Needs {
			if !seen[need.Job] {
				t.Fatalf("%q needs %q, which is not there", job.Name, need.Job)
			}
		}
	}
}

// checkJSON checks the parts of a job that are handed on as JSON.
func checkJSON(t *testing.T, job ciyaml.Job) {
	texts := []string{job.Run}
	for _, secret := range job.Secrets {
		texts = append(texts, secret.Source)
	}
	for _, in := range job.Inputs {
		texts = append(texts, in.Default, in.Options)
	}
	if job.Trigger != nil {
		for _, in := range job.Trigger.Inputs {
			texts = append(texts, in.Value)
		}
	}
	for _, text := range texts {
		if text != "" && !json.Valid([]byte(text)) {
			t.Fatalf("%q: no JSON: %s", job.Name, text)
		}
	}
}

// A drawnJob is a job of a random configuration whose outcome is easy to tell.
type drawnJob struct {
	stage    int
	in       bool
	needs    []int // earlier jobs of the same or an earlier stage
	optional bool  // all of its needs are
}

// Random jobs with rules and needs give the plan that a few lines of model
// say.
func TestRandomJobs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs := drawJobs(t)
		var b strings.Builder
		b.WriteString("stages: [s0, s1, s2]\n")
		for i, job := range jobs {
			fmt.Fprintf(&b, "j%d: {stage: s%d, script: x, rules: [{if: $IN =~ /_%d_/}]", i, job.stage, i)
			if job.needs != nil {
				b.WriteString(", needs: [")
				for _, n := range job.needs {
					fmt.Fprintf(&b, "{job: j%d, optional: %v}, ", n, job.optional)
				}
				b.WriteString("]")
			}
			b.WriteString("}\n")
		}
		var want, missing []string
		in := branch()
		list := "_"
		for stage := range 3 {
			for i, job := range jobs {
				if job.stage != stage || !job.in {
					continue
				}
				list += fmt.Sprintf("%d_", i)
				want = append(want, fmt.Sprintf("j%d", i))
				for _, n := range job.needs {
					if !jobs[n].in && !job.optional {
						missing = append(missing, fmt.Sprintf("'j%d' job needs 'j%d' job", i, n))
					}
				}
			}
		}
		in.Overrides = []ciyaml.Variable{{Key: "IN", Value: list}}
		config, _, diags := ciyaml.Load(t.Context(), mapSource{".gitlab-ci.yml": b.String()}, rootInput)
		if diags.Failed() {
			t.Fatalf("%v\n%s", diags, b.String())
		}
		p, diags := config.Pipeline(in)
		switch {
		case len(missing) > 0:
			var got []string
			for _, d := range diags {
				text, _, _ := strings.Cut(d.Message, ",")
				got = append(got, text)
			}
			if !slices.Equal(got, missing) {
				t.Fatalf("got %q, want %q\n%s", got, missing, b.String())
			}
		case len(want) == 0:
			if diags.First().Code != ciyaml.CodeRulesFiltered {
				t.Fatalf("got %v\n%s", diags, b.String())
			}
		case !slices.Equal(names(p), want):
			t.Fatalf("got %q, want %q: %v\n%s", names(p), want, diags, b.String())
		}
	})
}

func drawJobs(t *rapid.T) []drawnJob {
	jobs := make([]drawnJob, rapid.IntRange(1, 12).Draw(t, "jobs"))
	for i := range jobs {
		jobs[i].stage = rapid.IntRange(0, 2).Draw(t, "stage")
		jobs[i].in = rapid.Bool().Draw(t, "in")
		if !rapid.Bool().Draw(t, "dag") {
			continue
		}
		jobs[i].needs = []int{}
		jobs[i].optional = rapid.Bool().Draw(t, "optional")
		for n := range i {
			if jobs[n].stage <= jobs[i].stage && rapid.Bool().Draw(t, "need") {
				jobs[i].needs = append(jobs[i].needs, n)
			}
		}
	}
	return jobs
}
