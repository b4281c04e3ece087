package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// project makes a checkout on the branch topic and goes there.
func project(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "widget")
	files[".git/HEAD"] = "ref: refs/heads/topic\n"
	files[".git/refs/remotes/origin/HEAD"] = "ref: refs/remotes/origin/trunk\n"
	for name, content := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	return root
}

func lanyard(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// TestLintFor holds which jobs a pipeline gets for the flags that describe it.
func TestLintFor(t *testing.T) {
	project(t, map[string]string{
		"Dockerfile": "FROM scratch\n",
		".gitlab-ci.yml": `
include: {local: $WHERE.yml}
on-topic: {script: x, rules: [{if: $CI_COMMIT_BRANCH == "topic"}]}
on-trunk: {script: x, rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]}
on-tag: {script: x, rules: [{if: $CI_COMMIT_TAG == "v1"}]}
triggered: {script: x, rules: [{if: $CI_PIPELINE_SOURCE == "trigger" && $CI_PIPELINE_TRIGGERED}]}
request: {script: x, rules: [{if: $CI_MERGE_REQUEST_IID}]}
variable: {script: x, rules: [{if: $X == "a=b"}]}
changed: {script: x, rules: [{changes: ["*.go"]}]}
since: {script: x, rules: [{changes: {paths: ["*.go"], compare_to: main}}]}
exists: {script: x, rules: [{exists: [Dockerfile]}]}
mine: {script: x, only: [branches@me/widget]}
`,
		".yml":     "plain: {script: x, only: [web]}\n",
		"more.yml": "more: {script: x}\n",
	})
	for _, test := range []struct{ args, want string }{
		{"--ref topic", "on-topic changed since exists"},
		{"--as push", "on-topic changed since exists"},
		{"--ref trunk", "on-trunk changed since exists"},
		{"--ref refs/heads/trunk", "on-trunk changed since exists"},
		{"--ref v1 --tag", "on-tag changed since exists"},
		{"--ref refs/tags/v1", "on-tag changed since exists"},
		{"--as trigger", "on-topic triggered changed since exists"},
		{"--as merge_request_event", "request changed since exists"},
		{"-v X=a=b", "on-topic variable changed since exists"},
		{"-v X=1 -v X=a=b", "on-topic variable changed since exists"},
		{"--changed a.md --changed ./a.go", "on-topic changed since exists"},
		{"--changed a.md", "on-topic exists"},
		{"--changed=", "on-topic exists"},
		{"--as web", "plain on-topic changed since exists"},
		{"--project me/widget", ""},
		{"--project me/widget --as push", "on-topic changed since exists mine"},
		{"-v WHERE=more", "more on-topic changed since exists"},
	} {
		code, out, errOut := lanyard(t, append([]string{"lint"}, strings.Fields(test.args)...)...)
		var jobs []string
		for line := range strings.Lines(out) {
			if name, ok := strings.CutPrefix(line, "test: "); ok {
				jobs = append(jobs, strings.TrimSuffix(strings.TrimSpace(name), " (on_success)"))
			}
		}
		if got := strings.Join(jobs, " "); code != 0 || got != test.want || !strings.HasPrefix(errOut, ".gitlab-ci.yml is valid") {
			t.Errorf("%s: got code %d and %q, want %q\n%s%s", test.args, code, got, test.want, out, errOut)
		}
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"--as pushed", 2, `--as: no pipeline has the source "pushed"; there are push, web, trigger,`},
		{"-v X", 2, `-v takes KEY=VALUE, not "X"`},
		{"-v A-B=1", 2, `-v takes KEY=VALUE, not "A-B=1"`},
		{"-v WHERE=none", 1, ".gitlab-ci.yml:2:18: Local file `none.yml` does not exist!"},
	} {
		code, out, errOut := lanyard(t, append([]string{"lint"}, strings.Fields(test.args)...)...)
		if code != test.code || !strings.Contains(out+errOut, test.want) {
			t.Errorf("%s: got code %d\n%s%swant %d and %s", test.args, code, out, errOut, test.code, test.want)
		}
	}
}

// TestLintInputs holds how values of inputs are read.
func TestLintInputs(t *testing.T) {
	project(t, map[string]string{".gitlab-ci.yml": "spec:\n  inputs:\n    name: {default: none}\n    count: {type: number, default: 1}\n---\n" +
		"\"job-$[[ inputs.name ]]\": {script: x, parallel: $[[ inputs.count ]]}\n"})
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"", 0, "test: job-none 1/1 (on_success)\n"},
		{"-i name=a -i count=2", 0, "test: job-a 1/2 (on_success)\ntest: job-a 2/2 (on_success)\n"},
		{"-i name=a=b", 0, "test: job-a=b 1/1 (on_success)\n"},
		{"-i count=many", 1, ".gitlab-ci.yml:4:5: `.gitlab-ci.yml`: `count` input: provided value is not a number\n"},
		{"-i nope=1", 1, ".gitlab-ci.yml:1:1: `.gitlab-ci.yml`: unknown input arguments: nope\n"},
		{"-i name", 2, "lanyard: -i takes NAME=VALUE, not \"name\"\n"},
	} {
		code, out, errOut := lanyard(t, append([]string{"lint", "--as", "push"}, strings.Fields(test.args)...)...)
		if test.code == 2 {
			out = errOut
		}
		if code != test.code || out != test.want {
			t.Errorf("%s: got code %d\n%s%swant %d\n%s", test.args, code, out, errOut, test.code, test.want)
		}
	}
}

// TestLintExplain holds what is explained, with names of files from where one
// stands, and that a pipeline without jobs is an error.
func TestLintExplain(t *testing.T) {
	root := project(t, map[string]string{
		".gitlab-ci.yml": "include: ci/jobs.yml\nvariables: {Y: z}\n",
		"ci/jobs.yml":    "a:\n  script: x\n  rules:\n    - if: $X == \"1\"\n      when: manual\n",
		"ci/warn.yml":    "a: {script: x, rules: [{when: always}]}\n",
	})
	t.Chdir(filepath.Join(root, "ci"))
	code, out, errOut := lanyard(t, "lint", "../.gitlab-ci.yml", "--as", "trigger", "-v", "X=1", "--explain")
	want := `jobs.yml:1:1: a: in (stage test, manual), since rule 1 of 1 matches
    jobs.yml:4:7: rule 1 matches: if: $X == "1", when: manual
        X is "1"
`
	if code != 0 || out != want || errOut != "../.gitlab-ci.yml is valid; a trigger pipeline on topic has 1 job\n" {
		t.Errorf("got %d\n%s%swant\n%s", code, out, errOut, want)
	}
	code, out, errOut = lanyard(t, "lint", "../.gitlab-ci.yml", "--explain")
	want = `../.gitlab-ci.yml:1:1: The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs. (the only job is not in a pipeline of source push)
jobs.yml:1:1: a: out, since no rule of 1 matches
    jobs.yml:4:7: rule 1 does not match: if: $X == "1", when: manual
        X is unset
`
	if code != 1 || out != want || errOut != "" {
		t.Errorf("got %d\n%s%swant\n%s", code, out, errOut, want)
	}
	code, out, _ = lanyard(t, "lint", "warn.yml", "--as", "push")
	if code != 0 || !strings.HasPrefix(out, "warn.yml:1:24: warning: jobs:a may allow multiple pipelines") || strings.Count(out, "warning") != 2 || !strings.Contains(out, "\ntest: a (always)\n") {
		t.Errorf("got %d\n%s", code, out)
	}
}

// TestLintJob holds that one job can be asked for, with all of its instances.
func TestLintJob(t *testing.T) {
	project(t, map[string]string{".gitlab-ci.yml": `workflow: {rules: [{if: $CI_COMMIT_BRANCH}]}
a: {script: x, rules: [{when: always}]}
b: {script: x, parallel: {matrix: [{OS: [mac, linux]}]}, rules: [{if: $OS == "mac"}]}
`})
	const workflow = `.gitlab-ci.yml:1:12: pipeline: runs, since rule 1 of 1 matches
    .gitlab-ci.yml:1:20: rule 1 matches: if: $CI_COMMIT_BRANCH
        CI_COMMIT_BRANCH is "topic"
`
	const mac = `.gitlab-ci.yml:3:1: b: [mac]: in (stage test, on_success), since rule 1 of 1 matches
    .gitlab-ci.yml:3:66: rule 1 matches: if: $OS == "mac"
        OS is "mac"
`
	const linux = `.gitlab-ci.yml:3:1: b: [linux]: out, since no rule of 1 matches
    .gitlab-ci.yml:3:66: rule 1 does not match: if: $OS == "mac"
        OS is "linux"
`
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--job", "b"}, 0, workflow + mac + linux},
		{[]string{"--job", "b: [mac]", "--job", "none"}, 0, workflow + mac},
		{[]string{"--job", "none"}, 2, "lanyard: --job: the configuration has no job none\n"},
		{[]string{"--job", "b", "--tag"}, 1, ".gitlab-ci.yml:1:12: The pipeline did not run. Review the workflow:rules configuration for the pipeline. (no rule matches)\n" +
			`.gitlab-ci.yml:1:12: pipeline: does not run, since no rule of 1 matches
    .gitlab-ci.yml:1:20: rule 1 does not match: if: $CI_COMMIT_BRANCH
        CI_COMMIT_BRANCH is unset
`},
	} {
		code, out, errOut := lanyard(t, append([]string{"lint"}, test.args...)...)
		if test.code == 2 {
			out = errOut
		}
		if code != test.code || out != test.want {
			t.Errorf("%s: got code %d\n%s%swant %d\n%s", test.args, code, out, errOut, test.code, test.want)
		}
	}
}

// TestLintShown holds what is shown on a terminal: the line with a caret, then what
// may cure it.
func TestLintShown(t *testing.T) {
	root := project(t, map[string]string{".gitlab-ci.yml": "job:\n\tscript: x\n  scrip: y\n"})
	var out bytes.Buffer
	r := newLintReport(&terminal{out: &out}, root, ".gitlab-ci.yml", false, folderSource{files: os.DirFS(root)})
	if r.shown {
		t.Error("a buffer is no terminal")
	}
	r.shown, r.excerpt = true, excerpt{width: 40}
	d := ciyaml.Diagnostic{Message: "jobs:job config contains unknown keys: scrip", Hint: `did you mean "script"?`}
	d.Pos.File, d.Pos.Line, d.Pos.Col = ".gitlab-ci.yml", 3, 3
	elsewhere := ciyaml.Diagnostic{Message: "not here"}
	elsewhere.Pos.File, elsewhere.Pos.Line, elsewhere.Pos.Col = "group/other:ci.yml", 1, 1
	tab := ciyaml.Diagnostic{Message: "a tab", Severity: ciyaml.Warning}
	tab.Pos.File, tab.Pos.Line, tab.Pos.Col = ".gitlab-ci.yml", 2, 2
	r.print(ciyaml.Diagnostics{d, elsewhere, tab})
	want := `.gitlab-ci.yml:3:3: jobs:job config contains unknown keys: scrip
    3 |   scrip: y
      |   ^
        did you mean "script"?
group/other:ci.yml:1:1: not here
.gitlab-ci.yml:2:2: warning: a tab
    2 |     script: x
      |     ^
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
