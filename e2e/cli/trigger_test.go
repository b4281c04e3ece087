package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// TestTriggerExitCodes runs `lanyard trigger` against pipelines that end in every
// way (docs/operate.md).
func TestTriggerExitCodes(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"), "--runner", "2", "--runner-trusted")
	setting := "variables: {GIT_STRATEGY: none}\n"
	passes, passesToken := server.Project("passes", setting+"job: {script: 'echo got $KEY'}\n")
	fails, failsToken := server.Project("fails", setting+"job: {script: 'exit 3'}\n")
	warns, warnsToken := server.Project("warns", setting+"job: {script: 'exit 3', allow_failure: true}\n")
	retries, retriesToken := server.Project("retries", setting+"job: {script: 'test -e ../../../second || { touch ../../../second; exit 1; }', retry: 1}\n")
	asks, asksToken := server.Project("asks", setting+"job: {script: 'true', when: manual, allow_failure: false}\n")
	waits, waitsToken := server.Project("waits", setting+"job: {script: 'true', tags: [none]}\n")
	empty, emptyToken := server.Project("empty", setting+"job: {script: 'true', rules: [{if: '$NEVER'}]}\n")
	for _, test := range []struct {
		name    string
		project int64
		token   string
		args    []string
		code    int
		out     string // all but the first two lines, and what follows "in"
		err     string
	}{
		{"only started", passes, passesToken, nil, 0, "", ""},
		{"passed", passes, passesToken, []string{"--wait"}, 0, "  test  job passed\npassed\n", ""},
		{"passed with warnings", warns, warnsToken, []string{"--wait"}, 0, "  test  job failed (allowed to)\npassed with warnings\n", ""},
		{"passed at the second try", retries, retriesToken, []string{"--wait"}, 0, "  test  job passed\npassed\n", ""},
		{"failed", fails, failsToken, []string{"--wait"}, 1, "  test  job failed\nfailed\n", ""},
		{"wants a job to be played", asks, asksToken, []string{"--wait"}, 7, "  test  job manual\nwaits for a manual job\n", ""},
		{"timed out", waits, waitsToken, []string{"--wait", "--timeout", "1s"}, 5, "", " still goes on after 1s\n"},
		{"another's token", passes, failsToken, nil, 4, "", "lanyard: the server refused: 404 Not Found"},
		{"no such ref", passes, passesToken, []string{"--ref", "none"}, 4, "", "Reference not found"},
		{"no jobs", empty, emptyToken, nil, 4, "", "lanyard: the server refused: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := []string{"LANYARD_URL=" + server.URL, "LANYARD_TOKEN=" + process.RootToken, "LANYARD_TRIGGER_TOKEN=" + test.token}
			code, out, errOut := run(t, env, append([]string{"trigger", fmt.Sprint(test.project), "--ref", "main"}, test.args...)...)
			if code != test.code || !strings.HasSuffix(out, test.out) || !strings.Contains(errOut, test.err) || test.err == "" && errOut != "" {
				t.Errorf("got code %d, output %q, error %q; want %d, %q, %q", code, out, errOut, test.code, test.out, test.err)
			}
			if strings.Contains(out+errOut, test.token) {
				t.Error("it printed its token")
			}
			if code != exitRefused && strings.Count(strings.TrimSuffix(out, test.out), "\n") != 2 {
				t.Errorf("which pipeline it started is not told in two lines: %q", out)
			}
		})
	}
}

// exitRefused is the code for what the server refuses.
const exitRefused = 4

// TestTriggerCanceled holds 3 for a pipeline that somebody cancels, and 130 for
// Ctrl-C, which leaves the pipeline alone.
func TestTriggerCanceled(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"))
	project, token := server.Project("waits", "job: {script: 'true'}\n")
	env := []string{"LANYARD_URL=" + server.URL, "LANYARD_TOKEN=" + process.RootToken, "LANYARD_TRIGGER_TOKEN=" + token}
	for _, test := range []struct {
		act  func(p *program, pipeline string)
		code int
		err  string // with the pipeline's number for %s
		want string
	}{
		{func(_ *program, pipeline string) {
			server.Must("POST", fmt.Sprintf("/projects/%d/pipelines/%s/cancel", project, pipeline), nil, nil)
		}, 3, "", "canceled"},
		{func(p *program, _ string) { p.signal(syscall.SIGINT) }, 130, "lanyard: detached; pipeline #%s goes on\n", "pending"},
	} {
		p := begin(t, env, "trigger", "root/waits", "--ref", "main", "--wait")
		p.waitFor("/-/pipelines/")
		_, rest, _ := strings.Cut(p.out.String(), "root/waits #")
		number, _, _ := strings.Cut(rest, " ")
		test.act(p, number)
		code, want := p.end(), strings.ReplaceAll(test.err, "%s", number)
		if code != test.code || p.err.String() != want {
			t.Errorf("got code %d and %q, want %d and %q", code, p.err.String(), test.code, want)
		}
		var pipeline struct{ Status string }
		server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%s", project, number), nil, &pipeline)
		if pipeline.Status != test.want {
			t.Errorf("pipeline %s is %s, want %s", number, pipeline.Status, test.want)
		}
	}
}

// TestTriggerUnreachable holds 6 for a server that is not there.
func TestTriggerUnreachable(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"))
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, []string{"LANYARD_URL=" + server.URL, "LANYARD_TRIGGER_TOKEN=glptt-1"}, "trigger", "1", "--ref", "main")
	if code != 6 || out != "" || !strings.Contains(errOut, "connection refused") || strings.Contains(errOut, "glptt-1") {
		t.Errorf("got code %d, %q and %q", code, out, errOut)
	}
}

// TestTriggerBlind holds that who may trigger but not read is told what to do.
func TestTriggerBlind(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"))
	_, token := server.Project("hidden", "job: {script: 'true'}\n")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := run(t, nil, "trigger", "root/hidden", "--ref", "main", "--url", server.URL, "--token-file", file, "--wait")
	if code != 4 || !strings.Contains(errOut, " was started, but the server does not show it: ") || !strings.Contains(errOut, "set LANYARD_TOKEN") {
		t.Errorf("got code %d and %q", code, errOut)
	}
}

// TestTriggerFollow shows a log full of what terminals act on.
func TestTriggerFollow(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"), "--runner", "2", "--runner-trusted")
	_, token := server.Project("noisy", `variables: {GIT_STRATEGY: none}
noisy:
  script:
    - printf '\033[31mred\033[0m \007bell\n'
    - printf '10%%\r50%%\r100%% done\n'
    - printf '\033]0;title\007after the title\n'
    - printf 'value %s\n' "$KEY"
    - printf 'no end'
quiet: {script: 'true'}
`)
	env := []string{"LANYARD_URL=" + server.URL, "LANYARD_TOKEN=" + process.RootToken, "LANYARD_TRIGGER_TOKEN=" + token}
	code, out, errOut := run(t, env, "trigger", "root/noisy", "--ref", "main", "--follow", "-v", "KEY=a;b=c,d")
	if code != 0 || errOut != "" {
		t.Errorf("got code %d, error %q", code, errOut)
	}
	for _, want := range []string{
		"\nnoisy | red bell\n", "\nnoisy | 100% done\n", "\nnoisy | after the title\n", "\nnoisy | value a;b=c,d\n", "\nnoisy = passed in ",
		"\nquiet | Job succeeded\n", "\n  test  noisy passed, quiet passed\npassed\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	checkPlain(t, out)
	if t.Failed() {
		t.Log(out)
	}
}
