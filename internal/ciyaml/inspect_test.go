package ciyaml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// TestInspect holds what is shown of a configuration: the merged text, the files
// that it includes, the jobs as they stand.
func TestInspect(t *testing.T) {
	source := mapSource{
		".gitlab-ci.yml": `include: [a.yml, /ci/b.yml]
stages: [build, [test]]
job: {extends: .base, stage: build, rules: [{if: $A, when: never}]}
after: {stage: test, script: !reference [.base, script], when: on_failure, only: {changes: [x]}, except: [tags]}
many: {stage: test, script: x, parallel: 2, environment: production}
`,
		"a.yml":    "variables: {A: 010, B: 'yes'}\n",
		"ci/b.yml": "include: ci/c.yml\n.base:\n  script:\n  - echo \"$A\"\n  - |\n    one\n    two\n",
		"ci/c.yml": "default: {image: null}\n",
	}
	config, seen, diags := ciyaml.Inspect(t.Context(), source, rootInput)
	if diags.Failed() {
		t.Fatal(diags)
	}
	merged, ok := seen.Merged.YAML(1 << 20)
	want := `---
variables:
  A: 8
  B: 'yes'
default:
  image:
".base":
  script:
  - echo "$A"
  - |
    one
    two
stages:
- ".pre"
- build
- test
- ".post"
job:
  script:
  - echo "$A"
  - |
    one
    two
  extends: ".base"
  stage: build
  rules:
  - if: "$A"
    when: never
after:
  stage: test
  script:
  - echo "$A"
  - |
    one
    two
  when: on_failure
  only:
    changes:
    - x
  except:
  - tags
many:
  stage: test
  script: x
  parallel: 2
  environment: production
`
	if merged != want || !ok {
		t.Errorf("merged: got\n%swant\n%s", merged, want)
	}
	var includes []string
	for _, i := range seen.Includes {
		includes = append(includes, fmt.Sprintf("%s %s %s@%s:%s from %s", i.Kind, i.Location, i.Project, i.SHA, i.Path, i.ContextProject))
	}
	in := rootInput
	at := func(path string) string {
		return fmt.Sprintf("local %s %s@%s:%s from %s", path, in.Project, in.SHA, path, in.Project)
	}
	if got, want := strings.Join(includes, "\n"), strings.Join([]string{at("a.yml"), at("ci/b.yml"), at("ci/c.yml")}, "\n"); got != want {
		t.Errorf("includes: got\n%s\nwant\n%s", got, want)
	}
	var jobs []string
	for _, j := range config.StaticJobs() {
		jobs = append(jobs, fmt.Sprintf("%s %s only %s except %s", j.Stage, j.Name, j.Only, j.Except))
	}
	if got, want := strings.Join(jobs, "\n"), `build job only  except 
test after only {"refs":["branches","tags"],"changes":["x"]} except {"refs":["tags"]}
test many 1/2 only {"refs":["branches","tags"]} except 
test many 2/2 only {"refs":["branches","tags"]} except `; got != want {
		t.Errorf("jobs: got\n%s\nwant\n%s", got, want)
	}
}

// TestInspectContent holds the messages about a configuration that is in no file.
func TestInspectContent(t *testing.T) {
	source := mapSource{".gitlab-ci.yml": "a: {script: from the file}\n", "b.yml": "b: [\n"}
	for _, test := range []struct{ content, want string }{
		{"x: {script: y}", ""},
		{"include: .gitlab-ci.yml", ""},
		{"", ".gitlab-ci.yml:1:1: Please provide content of .gitlab-ci.yml"},
		{" \n", ".gitlab-ci.yml:1:1: Please provide content of .gitlab-ci.yml"},
		{"# nothing", ".gitlab-ci.yml:1:1: Invalid configuration format"},
		{"- a", ".gitlab-ci.yml:1:1: Invalid configuration format"},
		{"a: b: c", ".gitlab-ci.yml:1:5: (<unknown>): mapping values are not allowed in this context at line 1 column 5"},
		{"include: b.yml", "b.yml:2:1: `b.yml`: (<unknown>): did not find expected node content while parsing a flow node at line 2 column 1"},
		{"include: c.yml\na: {script: x}", ".gitlab-ci.yml:1:10: Local file `c.yml` does not exist!"},
		{strings.Repeat("# comment\n", 300_000), ".gitlab-ci.yml:1:1: The provided YAML is too big"},
	} {
		in := rootInput
		in.Content = []byte(test.content)
		_, seen, diags := ciyaml.Inspect(t.Context(), source, in)
		got := ""
		if diags.Failed() {
			got = diags.First().String()
		}
		if got != test.want || (seen.Merged == nil) != diags.Failed() {
			t.Errorf("%.40q: got %q, want %q", test.content, got, test.want)
		}
	}
}
