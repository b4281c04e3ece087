package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// spec is what the first job of a new pipeline on a ref executes.
func (s *scene) spec(ref string) ci.Spec {
	s.t.Helper()
	p := s.Started(s.project, s.token, ref)
	return enginetest.Must(s.Engine.Spec(s.t.Context(), s.Snapshot(p.ID).Jobs[0]))(s.t)
}

// Keys of caches (contract/ci-yaml.md 7.4).
func TestCacheKeys(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{Git: git.Config{MaxFile: 1 << 20}})
	for i, test := range []struct {
		name, cache string
		want        string // where it says SUM, a digest
		protected   string // likewise, on a protected branch
	}{
		{"none given", "{paths: [p]}", "default-non_protected", "default-protected"},
		{"text", "{key: go, paths: [p]}", "go-non_protected", "go-protected"},
		{"variable", "{key: $CI_COMMIT_REF_SLUG, paths: [p]}", "$CI_COMMIT_REF_SLUG-non_protected", "$CI_COMMIT_REF_SLUG-protected"},
		{"for all", "{key: go, paths: [p], unprotect: true}", "go", "go"},
		{"fallback", "{key: go, paths: [p], fallback_keys: [a, b]}",
			"go-non_protected a-non_protected b-non_protected", "go-protected a-protected b-protected"},
		{"files", "{key: {files: [go.sum]}, paths: [p]}", "SUM-non_protected", "SUM-protected"},
		{"one of them", "{key: {files: [nope, go.sum]}, paths: [p]}", "SUM-non_protected", "SUM-protected"},
		{"prefix", "{key: {files: [go.sum], prefix: go}, paths: [p]}", "go-SUM-non_protected", "go-SUM-protected"},
		{"no such files", "{key: {files: [nope, ../go.sum]}, paths: [p]}", "default-non_protected", "default-protected"},
		{"no such files, prefix", "{key: {files: [nope], prefix: go}, paths: [p]}", "go-default-non_protected", "go-default-protected"},
		{"beyond what is read", "{key: {files: [large/file]}, paths: [p]}", "SUM-non_protected", "SUM-protected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, w, fmt.Sprintf("keys%d", i), "a: {script: x, cache: "+test.cache+"}")
			s.Commit(s.project, "main", "Files", "go.sum", "one", "large/file", strings.Repeat("x", 1<<20+1))
			s.Commit(s.project, "moved", "The same files", "other", "file")
			s.Commit(s.project, "changed", "Other files", "go.sum", "two", "large/file", strings.Repeat("y", 1<<20+1))
			enginetest.Must(w.Git.CreateBranch(t.Context(), int64(s.project.ID), "safe", "main"))(t) // the same commit
			s.Record(s.project)
			s.Protect(s.project, "safe", false, ci.Developer)
			keys := func(ref string) string {
				cache := s.spec(ref).Cache[0]
				return strings.Join(append([]string{cache.Key}, cache.FallbackKeys...), " ")
			}
			main := keys("main")
			enginetest.Equal(t, "another commit with the same files", keys("moved"), main)
			if digest, whole := sum(main), strings.Contains(test.want, "SUM"); whole != (digest != "") {
				t.Errorf("key %q: want %q", main, test.want)
			} else {
				enginetest.Equal(t, "key", main, strings.Replace(test.want, "SUM", digest, 1))
				enginetest.Equal(t, "key on a protected branch", keys("safe"), strings.Replace(test.protected, "SUM", digest, 1))
				enginetest.Equal(t, "other files give the same key", keys("changed") == main, !whole)
			}
		})
	}
}

// sum finds the digest in a key.
func sum(key string) string {
	for part := range strings.SplitSeq(key, "-") {
		if git.IsSHA(part) {
			return part
		}
	}
	return ""
}

// planConfig has two jobs with most of what a job can have.
const planConfig = `
stages: [build, test]
variables: {ROOT: "1"}
build:
  stage: build
  image: {name: alpine, entrypoint: [""]}
  services: [{name: postgres, alias: db}]
  tags: [b, a, b]
  timeout: 10m
  before_script: [one]
  script: [two, three]
  after_script: [four]
  coverage: '/\d+%/'
  allow_failure: {exit_codes: [7]}
  retry: {max: 2, when: [script_failure], exit_codes: [9]}
  interruptible: true
  artifacts:
    name: out
    paths: [out/]
    exclude: [out/tmp]
    when: always
    expire_in: 1 week
    access: developer
    reports: {junit: report.xml, dotenv: build.env, coverage_report: {coverage_format: cobertura, path: c.xml}, sast: s.json}
test 1/2: {stage: test, needs: [{job: build, artifacts: false}], script: x}
`

// What a job executes and how it is placed, from the file to the row.
func TestPlan(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "plan", planConfig)
	p := s.Started(s.project, s.token, "main")
	jobs := s.Snapshot(p.ID).Jobs
	spec := enginetest.Must(s.Engine.Spec(t.Context(), jobs[0]))(t)
	report := func(name, path, kind, format string) ci.ArtifactSpec {
		return ci.ArtifactSpec{
			Name: name, Paths: []string{path}, When: "always", ExpireIn: "1 week", Access: "developer", Type: kind, Format: format,
		}
	}
	want := ci.Spec{
		BeforeScript: []string{"one"}, Script: []string{"two", "three"}, AfterScript: []string{"four"}, Coverage: `\d+%`,
		Variables: []ci.Variable{{Key: "ROOT", Value: "1", Layers: uint8(ciyaml.LayerGlobal)}},
		Image:     &ci.Image{Name: "alpine", Entrypoint: []string{""}}, Services: []ci.Image{{Name: "postgres", Alias: "db"}},
		Artifacts: []ci.ArtifactSpec{
			{Name: "out", Paths: []string{"out/"}, Exclude: []string{"out/tmp"}, When: "always", ExpireIn: "1 week", Access: "developer",
				Type: "archive", Format: "zip"},
			report("junit.xml", "report.xml", "junit", "gzip"),
			report(".env", "build.env", "dotenv", "gzip"),
			report("cobertura-coverage.xml", "c.xml", "cobertura", "gzip"),
			report("gl-sast-report.json", "s.json", "sast", "raw"),
		},
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("specification (-want +got):\n%s", diff)
	}
	wantPlan := ci.JobPlan{
		When: ci.WhenOnSuccess, ExitCodes: []int{7}, RetryMax: 2, RetryWhen: []ci.FailureReason{ci.ScriptFailure}, RetryCodes: []int{9},
		Interruptible: true, Timeout: 600, NodeTotal: 1,
	}
	if diff := cmp.Diff(wantPlan, jobs[0].Plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	enginetest.Equal(t, "tags", strings.Join(jobs[0].Tags, " "), "a b")
	enginetest.Equal(t, "timeout", jobs[0].Timeout, 600)
	enginetest.Equal(t, "timeout of the project", jobs[1].Timeout, 3600)
	wantPlan = ci.JobPlan{
		When: ci.WhenOnSuccess, DAG: true, Needs: []ci.Need{{Job: "build"}}, Timeout: 3600, NodeTotal: 1, Group: "test",
	}
	if diff := cmp.Diff(wantPlan, jobs[1].Plan); diff != "" {
		t.Errorf("plan of the second (-want +got):\n%s", diff)
	}
}

// Rules change what a job executes from one pipeline to the next: what is kept of
// the last one must not leak into it.
func TestSpecsFollowVariables(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "specs", `
variables: {LEVEL: low}
a:
  script: x
  rules:
    - if: $WANT == "high"
      variables: {LEVEL: high}
    - if: $WANT == "more"
      variables: {MORE: "1"}
    - when: always
`)
	for _, want := range []string{"low", "high", "low", "low", "more", "high"} {
		p := s.Started(s.project, s.token, "main", "WANT", want)
		spec := enginetest.Must(s.Engine.Spec(t.Context(), s.Snapshot(p.ID).Jobs[0]))(t)
		got := ""
		for _, v := range spec.Variables {
			got += v.Key + "=" + v.Value + " "
		}
		enginetest.Equal(t, want, got, map[string]string{"low": "LEVEL=low ", "high": "LEVEL=high ", "more": "LEVEL=low MORE=1 "}[want])
	}
}

// Limits of the engine that no other test reaches.
func TestLimits(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{Limits: engine.Limits{JobsPerPipeline: 5, VariablesPerCall: 2, VariableBytes: 10}})
	s := newScene(t, w, "limits", jobs(5))
	ten := strings.Repeat("x", 10)
	for _, test := range []struct {
		what string
		vars []string
		want string
	}{
		{"at all limits", []string{"A", ten, "B", ten}, ""},
		{"too many", []string{"A", "1", "B", "1", "C", "1"}, "invalid: There cannot be more than 2 variables"},
		{"too large", []string{"A", ten + "x"}, "too_large: variable A is larger than 10 bytes"},
		{"too large, and malformed", []string{"A-B", "1", "C", ten + "x"}, "too_large: variable C is larger than 10 bytes"},
	} {
		enginetest.Equal(t, test.what, s.trigger("main", test.vars...), test.want)
	}
	r := enginetest.Request(s.project, s.token, "main")
	r.Payload = strings.Repeat("x", 1<<20)
	_, err := s.Engine.Trigger(t.Context(), r)
	enginetest.Equal(t, "the payload has the limit of the body", err, nil)
	enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 2)
}
