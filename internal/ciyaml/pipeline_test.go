package ciyaml_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

func TestAllowFailure(t *testing.T) {
	tests := []struct {
		job      string
		when     string
		allowed  bool
		exitCode []int
	}{
		{"{script: x}", "on_success", false, nil},
		{"{script: x, when: manual}", "manual", true, nil},
		{"{script: x, when: manual, allow_failure: false}", "manual", false, nil},
		{"{script: x, rules: [{when: manual}]}", "manual", false, nil},
		{"{script: x, when: manual, rules: [{if: $CI}]}", "manual", true, nil},
		{"{script: x, when: manual, rules: [{when: on_success}]}", "on_success", true, nil},
		{"{script: x, allow_failure: true, rules: [{when: always}]}", "always", true, nil},
		{"{script: x, allow_failure: true, rules: [{allow_failure: false}]}", "on_success", false, nil},
		{"{script: x, allow_failure: {exit_codes: [1]}}", "on_success", false, []int{1}},
		{"{script: x, allow_failure: {exit_codes: [1]}, rules: [{allow_failure: false}]}", "on_success", false, nil},
		{"{script: x, when: manual, allow_failure: {exit_codes: 1}}", "manual", false, []int{1}},
	}
	for _, tt := range tests {
		job := plan(t, "j: "+tt.job, branch()).Jobs[0]
		if job.When != tt.when || job.AllowFailure != tt.allowed || !slices.Equal(job.AllowFailureExitCodes, tt.exitCode) {
			t.Errorf("%s: got %s, %v, %v", tt.job, job.When, job.AllowFailure, job.AllowFailureExitCodes)
		}
	}
}

// Beyond 50 000 comparisons a clause holds without them.
func TestTooManyComparisons(t *testing.T) {
	many := make([]string, 50_001)
	for i := range many {
		many[i] = fmt.Sprintf("some/file%d", i)
	}
	in := branch()
	in.Paths = func() ([]string, error) { return many, nil }
	in.Modified = func() ([]string, bool, error) { return many, true, nil }
	got := names(plan(t, `
changes: {script: x, rules: [{changes: ["no/*"]}]}
exists: {script: x, rules: [{exists: ["no/*"]}]}
plain: {script: x, rules: [{exists: ["no", "no/", "**/*.no"]}]}
other: {script: x}
`, in))
	if want := []string{"changes", "exists", "other"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	many = many[:50_000]
	if got := names(plan(t, "changes: {script: x, rules: [{changes: ['no/*']}]}\nother: {script: x}\n", in)); len(got) != 1 {
		t.Errorf("at the limit: got %q", got)
	}
}

// The functions of the input are called when a clause needs them, and once.
func TestInputIsAskedOnce(t *testing.T) {
	content := `
a: {script: x, rules: [{if: $CI_COMMIT_BRANCH == "other", changes: [a], exists: [a]}, {if: $ASK, changes: [a]}, {if: $ASK, exists: [a]}]}
b: {script: x, rules: [{if: $ASK, changes: [b]}, {if: $ASK, exists: [b, $ASK]}]}
c: {script: x}
`
	for _, ask := range []string{"", "yes"} {
		paths, modified := 0, 0
		in := branch()
		in.Overrides = []ciyaml.Variable{{Key: "ASK", Value: ask}}
		in.Paths = func() ([]string, error) { paths++; return nil, nil }
		in.Modified = func() ([]string, bool, error) { modified++; return nil, true, nil }
		plan(t, content, in)
		if want := len(ask) / 3; paths != want || modified != want {
			t.Errorf("ASK=%q: asked for paths %d times and for modified ones %d times", ask, paths, modified)
		}
	}
}

func TestInputFails(t *testing.T) {
	broken := errors.New("git is gone")
	in := branch()
	in.Paths = func() ([]string, error) { return nil, broken }
	in.Modified = func() ([]string, bool, error) { return nil, false, broken }
	tests := []struct{ content, want string }{
		{"a: {script: x, rules: [{exists: [a]}]}", ".gitlab-ci.yml:1:1: list files: git is gone"},
		{"a: {script: x, rules: [{changes: [a]}]}", ".gitlab-ci.yml:1:1: list modified files: git is gone"},
		{"a: {script: x, only: {changes: [a]}}", ".gitlab-ci.yml:1:1: list modified files: git is gone"},
		{"a: {script: x, except: {changes: [a]}}", ".gitlab-ci.yml:1:1: list modified files: git is gone"},
		{"workflow: {rules: [{exists: [a]}]}\na: {script: x}", ".gitlab-ci.yml:1:12: list files: git is gone"},
	}
	for _, tt := range tests {
		p, diags := load(t, tt.content).Pipeline(in)
		if p != nil || len(diags) != 1 || diags[0].String() != tt.want || diags[0].Code != ciyaml.CodeInternal {
			t.Errorf("%s: got %v, want %s", tt.content, diags, tt.want)
		}
	}
}

// One Config serves many events at the same time.
func TestPipelineConcurrently(t *testing.T) {
	config, _, diags := ciyaml.Load(t.Context(), realistic(t), rootInput)
	if diags.Failed() {
		t.Fatal(diags)
	}
	inputs := []ciyaml.Input{branch(), serverInput()}
	inputs[1].Overrides = append(inputs[1].Overrides, ciyaml.Variable{Key: "CI_COMMIT_TAG", Value: "v1.2.3"})
	var want []*ciyaml.Plan
	for _, in := range inputs {
		p, diags := config.Pipeline(in)
		if diags.Failed() {
			t.Fatal(diags)
		}
		want = append(want, p)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				got, _ := config.Pipeline(inputs[i%2])
				if diff := cmp.Diff(want[i%2], got); diff != "" {
					t.Errorf("plan (-want +got):\n%s", diff)
					return
				}
			}
		})
	}
	all.Wait()
}

// Conditions of GitLab's own table that tell and, or and empty texts apart,
// all the way through a pipeline.
func TestConditions(t *testing.T) {
	tests := []struct {
		condition string
		want      bool
	}{
		{`$P`, true}, {`$EMPTY`, false}, {`$UNDEF`, false},
		{`$EMPTY == null`, false}, {`$UNDEF == null`, true}, {`$EMPTY == ""`, true}, {`$UNDEF == ""`, false},
		{`$EMPTY && $P`, true}, {`$P && $EMPTY`, false}, {`$EMPTY || $P`, false}, {`$UNDEF || $P`, true}, {`$UNDEF && $P`, false},
		{`$P =~ /^my/`, true}, {`$P =~ /^MY/i`, true}, {`$P !~ /^my/`, false}, {`$UNDEF =~ /xy/`, false}, {`$UNDEF !~ /xy/`, true},
		{`$P =~ $PATTERN`, true}, {`$PART =~ $P`, true}, {`$P =~ $PART`, false},
		{`$P == "my variable" && ($EMPTY || $UNDEF == null)`, false},
		{`($P || $UNDEF) && $UNDEF == null`, true},
	}
	in := branch()
	in.Overrides = []ciyaml.Variable{
		{Key: "P", Value: "my variable"}, {Key: "EMPTY"}, {Key: "PATTERN", Value: "/^my .*/"}, {Key: "PART", Value: "variable"},
	}
	for _, tt := range tests {
		content := "j: {script: x, rules: [{if: '" + tt.condition + "'}]}\nother: {script: x}\n"
		if got := slices.Contains(names(plan(t, content, in)), "j"); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.condition, got, tt.want)
		}
	}
}

// The realistic configuration compiles to what its author means.
func TestRealistic(t *testing.T) {
	config, _, diags := ciyaml.Load(t.Context(), realistic(t), rootInput)
	if diags.Failed() {
		t.Fatal(diags)
	}
	p, diags := config.Pipeline(branch())
	if diags.Failed() {
		t.Fatal(diags)
	}
	if want := "build test scan package"; strings.Join(p.Stages, " ") != want {
		t.Errorf("got stages %q, want %s", p.Stages, want)
	}
	var job ciyaml.Job
	for _, j := range p.Jobs {
		if j.Name == "scan-2" {
			job = j
		}
	}
	want := ciyaml.Job{
		Name: "scan-2", BaseName: "scan-2", GroupName: "scan-2", Stage: "scan", StageIndex: 4, Pos: job.Pos, NodeTotal: 1,
		When: "always", Tags: []string{"docker", "linux"}, Interruptible: true, Timeout: 5400, DAG: true,
		Needs:        []ciyaml.Need{{Job: "build-0", Artifacts: true}, {Job: "test-1", Artifacts: true}},
		Image:        &ciyaml.Image{Name: "golang:$GO_VERSION"},
		BeforeScript: []string{"go version", "mkdir -p .go .cache", "export GOPATH=$PWD/.go GOCACHE=$PWD/.cache"},
		Script: []string{
			"echo \"setting up\"", "./ci/setup.sh --verbose", "make target-2 ARGS=\"-v -race\"",
			"if [ \"$CI_COMMIT_BRANCH\" = \"main\" ]; then\n  echo \"main branch: $CI_COMMIT_SHA\"\nfi\n",
		},
		Variables: []ciyaml.Variable{
			{Key: "COMMON", Value: "true", Layers: ciyaml.LayerGlobal}, {Key: "GO_VERSION", Value: "1.26", Layers: ciyaml.LayerGlobal},
			{Key: "GOFLAGS", Value: "-buildvcs=false", Layers: ciyaml.LayerGlobal}, {Key: "DOCKER_DRIVER", Value: "overlay2", Layers: ciyaml.LayerGlobal},
			{Key: "DEPLOY_ENV", Value: "staging", Layers: ciyaml.LayerGlobal}, {Key: "LIMIT", Value: "8", Layers: ciyaml.LayerGlobal},
			{Key: "FLAG", Value: "true", Layers: ciyaml.LayerGlobal}, {Key: "TARGET", Value: "target-2", Layers: ciyaml.LayerJob},
			{Key: "CGO_ENABLED", Value: "0", Layers: ciyaml.LayerJob},
		},
		Artifacts: &ciyaml.Artifacts{
			Paths: []string{"out/2/*"}, When: "on_success", ExpireIn: "1 week",
			Reports: []ciyaml.Report{{Type: "junit", Paths: []string{"report-2.xml"}}},
		},
		Cache: []ciyaml.Cache{{
			KeyFiles: []string{"go.sum"}, KeyPrefix: "${CI_JOB_NAME}", Policy: "pull-push", When: "on_success",
			Paths: []string{".go/pkg/mod", ".cache/"},
		}},
		Retry: ciyaml.Retry{Max: 2, When: []string{"runner_system_failure", "stuck_or_timeout_failure"}},
	}
	if diff := cmp.Diff(want, job); diff != "" {
		t.Errorf("scan-2 (-want +got):\n%s", diff)
	}
}
