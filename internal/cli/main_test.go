package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestUsage holds the exit codes and first words of what is typed wrongly.
func TestUsage(t *testing.T) {
	for _, name := range []string{"LANYARD_TRIGGER_TOKEN", "LANYARD_TRIGGER_TOKEN_FILE", "CI_JOB_TOKEN", "LANYARD_RUNNER_TOKEN", "LANYARD_URL"} {
		t.Setenv(name, "") // to have it restored
		os.Unsetenv(name)
	}
	empty := file(t, "\n")
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"", 0, "Usage: lanyard <command>"},
		{"--help", 0, "Usage: lanyard <command>"},
		{"serve --help", 0, "Usage: lanyard serve"},
		{"nope", 2, "lanyard: unexpected argument nope"},
		{"serve --nope", 2, "lanyard: unknown flag --nope"},
		{"serve --listn x", 2, "--listen"},
		{"serve extra", 2, "unexpected argument extra"},
		{"serve --log-format xml", 2, "--log-format"},
		{"trigger --ref main", 2, "<project>"},
		{"trigger 1", 2, "--ref"},
		{"trigger 1 --ref main", 2, "no token: set LANYARD_TRIGGER_TOKEN"},
		{"trigger 1 --ref main --token-file " + empty, 2, "is empty"},
		{"trigger 1 --ref main --token-file /no/such/file", 2, "no such file"},
		{"trigger 1 --ref main --token glptt-1", 2, "unknown flag --token"},
		{"trigger 1 --ref main --token-file " + file(t, "t") + " -v novalue", 2, `-v takes KEY=VALUE, not "novalue"`},
		{"trigger 1 --ref main --timeout soon", 2, "--timeout"},
		{"runner", 2, "--url"},
		{"runner --url http://127.0.0.1:1", 2, "no token"},
		{"runner --url http://127.0.0.1:1 --token-file " + file(t, "glrt-1") + " --concurrency 0", 2, "--concurrency"},
		{"check --data " + t.TempDir(), 2, "no database in"},
		{"lint a b", 2, "unexpected argument b"},
		{"version", 0, "lanyard  "},
	} {
		var out, errOut bytes.Buffer
		code := Main(strings.Fields(test.args), strings.NewReader(""), &out, &errOut)
		text := out.String() + errOut.String()
		if code != test.code || !strings.Contains(text, test.want) || strings.Contains(text, "hunter2") {
			t.Errorf("lanyard %s: got code %d and %q, want %d and %q", test.args, code, text, test.code, test.want)
		}
		if code != 0 && (out.Len() > 0 || strings.Count(errOut.String(), "\n") != 1) {
			t.Errorf("lanyard %s: a failure is one line on standard error, got %q and %q", test.args, out.String(), errOut.String())
		}
	}
}

// TestVariables holds that values are taken as they are, whatever is in them.
func TestVariables(t *testing.T) {
	cmds, err := parsed(t, "trigger", "1", "--ref", "main", "-v", "A=1;B=2", "-v", `C=a=b,c\d "e"`, "-v", "D=", "--variable=A=last")
	if err != nil {
		t.Fatal(err)
	}
	got, err := cmds.Trigger.variables()
	if err != nil || len(got) != 3 || got["A"] != "last" || got["C"] != `a=b,c\d "e"` || got["D"] != "" {
		t.Errorf("got %q, error %v", got, err)
	}
}

// TestTriggerToken holds where the token comes from: a flag beats variables, and
// the job's own comes last.
func TestTriggerToken(t *testing.T) {
	name := file(t, "from-file\n")
	for _, test := range []struct {
		file, variable, job, want string
	}{
		{name, "from-variable", "from-job", "from-file"},
		{"-", "from-variable", "", "from-input"},
		{"", "from-variable", "from-job", "from-variable"},
		{"", "", "from-job", "from-job"},
	} {
		t.Setenv("LANYARD_TRIGGER_TOKEN", test.variable)
		t.Setenv("CI_JOB_TOKEN", test.job)
		c := triggerCommand{TokenFile: test.file}
		got, err := c.token(&terminal{in: strings.NewReader("from-input\n")})
		if err != nil || got != test.want {
			t.Errorf("%+v: got %q, error %v", test, got, err)
		}
	}
}
