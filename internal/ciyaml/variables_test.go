package ciyaml_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// precedence is a configuration that defines A at every level that is named.
func precedence(levels []string) (string, ciyaml.Input) {
	in := branch()
	root, workflow, job, matrix, rule := "", "", "", "", ""
	for _, level := range levels {
		v := "A: " + level
		switch level {
		case "predefined":
			in.Predefined = append(in.Predefined, ciyaml.Variable{Key: "A", Value: level})
		case "override":
			in.Overrides = append(in.Overrides, ciyaml.Variable{Key: "A", Value: level})
		case "root":
			root = v
		case "workflow":
			workflow = v
		case "job":
			job = v
		case "matrix":
			matrix = v
		case "rule":
			rule = v
		}
	}
	if matrix == "" {
		matrix = "M: m"
	}
	return fmt.Sprintf(`
variables: {%s}
workflow: {rules: [{if: $CI, variables: {%s}}]}
x:
  script: x
  variables: {%s}
  tags: [$A]
  parallel: {matrix: [{%s}]}
  rules: [{if: $CI, variables: {%s}}]
`, root, workflow, job, matrix, rule), in
}

// The levels from the lowest to the highest: whichever is left out, the
// highest of the others counts, in tags and, without those of the input, in
// the job's variables.
func TestVariablePrecedence(t *testing.T) {
	levels := []string{"predefined", "root", "workflow", "job", "matrix", "rule", "override"}
	for bits := 1; bits < 1<<len(levels); bits++ {
		var given []string
		for i, level := range levels {
			if bits>>i&1 == 1 {
				given = append(given, level)
			}
		}
		content, in := precedence(given)
		job := plan(t, content, in).Jobs[0]
		if got, want := job.Tags[0], given[len(given)-1]; got != want {
			t.Fatalf("%v: tags say %s, want %s", given, got, want)
		}
		want := ""
		for _, level := range given {
			if level != "predefined" && level != "override" {
				want = level
			}
		}
		got := ""
		for _, v := range job.Variables {
			if v.Key == "A" {
				got += v.Value
			}
		}
		if got != want {
			t.Fatalf("%v: the job has %q, want %q", given, got, want)
		}
	}
}

// Conditions see what is known before the rule matches.
func TestConditionPrecedence(t *testing.T) {
	levels := []string{"predefined", "root", "workflow", "job", "override"}
	for n := range len(levels) {
		content, in := precedence(levels[:n+1])
		content = strings.Replace(content, "rules: [{if: $CI, variables: {}}]\n", "rules: [{if: '$A == \""+levels[n]+"\"'}]\n", 1)
		config := load(t, content)
		if p, diags := config.Pipeline(in); len(names(p)) != 1 {
			t.Errorf("%v: %s does not count: %v", levels[:n+1], levels[n], diags)
		}
	}
}

func TestLaterVariableWins(t *testing.T) {
	in := branch()
	in.Predefined = append(in.Predefined, ciyaml.Variable{Key: "P", Value: "1"}, ciyaml.Variable{Key: "P", Value: "2"})
	in.Overrides = []ciyaml.Variable{{Key: "O", Value: "1"}, {Key: "O", Value: "2"}}
	job := plan(t, "x: {script: x, tags: [$P, $O], rules: [{if: '$P == \"2\" && $O == \"2\"'}]}", in).Jobs[0]
	if want := []string{"2", "2"}; !slices.Equal(job.Tags, want) {
		t.Errorf("got %q, want %q", job.Tags, want)
	}
}

func TestTagExpansion(t *testing.T) {
	in := branch()
	in.Overrides = []ciyaml.Variable{
		{Key: "A", Value: "$B-$NOPE"}, {Key: "B", Value: "b"},
		{Key: "RAW", Value: "$B", Raw: true}, {Key: "FILE", Value: "$B", File: true},
		{Key: "SELF", Value: "$SELF:x"},
	}
	tests := []struct{ tag, want string }{
		{"plain", "plain"},
		{"$A", "b-$NOPE"},
		{"${B}%B%", "bb"},
		{"$RAW", "$B"},
		{"$FILE", "$B"},
		{"$$B", "$$B"},
	}
	for _, tt := range tests {
		got := plan(t, "x: {script: x, tags: ['"+tt.tag+"']}", in).Jobs[0].Tags[0]
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.tag, got, tt.want)
		}
	}
}

// References to references may grow exponentially, also to nothing at all.
func TestExpansionIsBounded(t *testing.T) {
	for _, last := range []string{"x", ""} {
		var b strings.Builder
		b.WriteString("variables:\n")
		for i := range 60 {
			fmt.Fprintf(&b, "  V%d: $V%d$V%d\n", i, i+1, i+1)
		}
		fmt.Fprintf(&b, "  V60: %q\n", last)
		const job = "x: {script: x}\n"
		tests := []struct{ content, want string }{
			{"j: {script: x, tags: [$V0]}", ".gitlab-ci.yml:63:1"},
			{"j: {script: x, rules: [{changes: [$V0]}]}", ".gitlab-ci.yml:63:1"},
			{"workflow: {rules: [{changes: [$V0]}]}\n" + job, ".gitlab-ci.yml:63:12"},
		}
		in := branch()
		in.Modified = func() ([]string, bool, error) { return []string{"a"}, true, nil }
		for _, tt := range tests {
			_, diags := load(t, b.String()+tt.content).Pipeline(in)
			if got, want := diags.First().String(), tt.want+": The variables in tags and patterns are too big"; got != want {
				t.Errorf("%s: got %q, want %q", tt.content, got, want)
			}
		}
	}
}

// What a job has may be shared: no pipeline may see what another was given.
func TestPipelinesDoNotMix(t *testing.T) {
	config := load(t, `
variables: {A: root}
workflow:
  rules:
    - if: $W
      variables: {A: workflow, W2: "1"}
    - when: always
plain: {script: x}
ruled:
  script: x
  tags: [$TAG]
  variables: {B: job}
  rules:
    - if: $R
      variables: {B: rule, C: rule}
      allow_failure: true
      when: manual
    - when: on_success
needy: {script: x, needs: [plain, {job: ruled, optional: true}]}
`)
	with := branch()
	with.Overrides = []ciyaml.Variable{{Key: "W", Value: "1"}, {Key: "R", Value: "1"}, {Key: "TAG", Value: "t"}}
	before, _ := config.Pipeline(branch())
	copied := fmt.Sprintf("%+v", before)
	other, diags := config.Pipeline(with)
	if diags.Failed() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(before, other); diff == "" {
		t.Fatal("both inputs give the same plan")
	}
	if got := fmt.Sprintf("%+v", before); got != copied {
		t.Errorf("a second pipeline changed the first:\n%s\n%s", copied, got)
	}
	again, _ := config.Pipeline(branch())
	if diff := cmp.Diff(before, again); diff != "" {
		t.Errorf("the same input gives another plan (-first +second):\n%s", diff)
	}
}

// Of each variable it is known which parts of the configuration set it.
func TestLayers(t *testing.T) {
	levels := map[string]ciyaml.Layers{
		"root": ciyaml.LayerGlobal, "workflow": ciyaml.LayerWorkflow, "job": ciyaml.LayerJob, "matrix": ciyaml.LayerMatrix, "rule": ciyaml.LayerRule,
	}
	names := slices.Sorted(maps.Keys(levels))
	for bits := 1; bits < 1<<len(names); bits++ {
		var given []string
		var want ciyaml.Layers
		for i, level := range names {
			if bits>>i&1 == 1 {
				given = append(given, level)
				want |= levels[level]
			}
		}
		content, in := precedence(given)
		in.Predefined = append(in.Predefined, ciyaml.Variable{Key: "CI", Value: "true"})
		variables := plan(t, content, in).Jobs[0].Variables
		i := slices.IndexFunc(variables, func(v ciyaml.Variable) bool { return v.Key == "A" })
		if got := variables[i].Layers; got != want {
			t.Errorf("%v: got layers %b, want %b", given, got, want)
		}
	}
}

// Jobs with an environment see the variables that are for it, those without see
// the others; the name of the environment is made without them.
func TestVariablesOfEnvironments(t *testing.T) {
	in := branch()
	in.Overrides = []ciyaml.Variable{{Key: "URL", Value: "any"}, {Key: "NAME", Value: "app"}}
	asked := map[string]int{}
	in.OverridesIn = func(environment string) []ciyaml.Variable {
		asked[environment]++
		if environment != "review/app" {
			return in.Overrides
		}
		return []ciyaml.Variable{{Key: "URL", Value: "of review"}, {Key: "NAME", Value: "never in the name"}, {Key: "DEEP", Value: "$URL, deep"}}
	}
	p := plan(t, `
none: {script: x, tags: [$URL]}
app: {script: x, environment: review/$NAME, tags: [$URL, $DEEP, $NAME, $CI_ENVIRONMENT_NAME, $CI_ENVIRONMENT_TIER], resource_group: $CI_ENVIRONMENT_SLUG}
other: {script: x, environment: {name: other, deployment_tier: testing}, tags: [$URL, $CI_ENVIRONMENT_SLUG, $CI_ENVIRONMENT_TIER]}
ruled: {script: x, environment: review/app, rules: [{if: $URL == "of review", variables: {R: "1"}}]}
out: {script: x, environment: other, rules: [{if: $URL == "of review"}]}
named: {script: x, environment: review/$RULED, tags: [$URL], rules: [{if: $URL == "any", variables: {RULED: app}}]}
`, in)
	var got []string
	for _, job := range p.Jobs {
		got = append(got, job.Name+": "+strings.Join(job.Tags, ", "))
	}
	want := []string{
		"none: any", "app: of review, of review, deep, never in the name, review/app, development", "other: any, other, testing",
		"ruled: ", "named: of review",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if got, want := p.Jobs[1].ResourceGroup, ciyaml.EnvironmentSlug("review/app"); got != want {
		t.Errorf("slug: got %q, want %q", got, want)
	}
	for name, times := range asked {
		if times != 1 {
			t.Errorf("asked %d times for %q", times, name)
		}
	}
}

// A circle that only the variables of an environment close is one.
func TestCircleInEnvironment(t *testing.T) {
	in := branch()
	in.OverridesIn = func(string) []ciyaml.Variable {
		return []ciyaml.Variable{{Key: "A", Value: "$B"}, {Key: "B", Value: "$A"}}
	}
	_, diags := load(t, "a: {script: x}\nb: {script: x, environment: e}\n").Pipeline(in)
	if got, want := diags.First().Message, `b: circular variable reference detected: ["A", "B"]`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
