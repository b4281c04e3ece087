package cli

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// upOnce runs `lanyard up --once` on a data directory.
func upOnce(t *testing.T, data string, env ...string) (code int, out string) {
	t.Helper()
	process.CheckAtEnd(t, data)
	code, out, errOut := run(t, env, "up", "--once", "--listen", "127.0.0.1:0", "--data", data)
	if errOut != "" {
		t.Errorf("standard error has %q", errOut)
	}
	return code, out
}

// TestUpOnce runs the demo twice on one directory: the second time it is the same
// demo, with a new pipeline. Nothing of it needs a terminal.
func TestUpOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for i, pipeline := range []string{"#1", "#3"} {
		code, out := upOnce(t, data)
		if code != 0 {
			t.Fatalf("got code %d\n%s", code, out)
		}
		for _, want := range []string{
			"Started demo/hello on main: pipeline " + pipeline + "\n",
			"\ncompile          | Hello, World, this is job ",
			"\ngreet: [German]  | German: Hallo, World!\n",
			"\nspelling         = failed in ",
			"\npublish          | Spanish: ¡Hola, World!\n",
			"\nreceive          | Started by demo/hello, source pipeline\n",
			"\nPipeline " + pipeline + " of demo/hello\n  build   compile passed\n",
			"celebrate manual",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("run %d does not say %q", i+1, want)
			}
		}
		if !strings.HasSuffix(out, "\npassed with warnings\n") {
			t.Errorf("run %d ends with %q", i+1, out[max(0, len(out)-100):])
		}
		if strings.Contains(out, "(created)") != (i == 0) {
			t.Errorf("run %d: says that the data was created: %v", i+1, i != 0)
		}
		for _, secret := range []string{"glpat-", "glptt-", "glcbt-", "glrt-"} { // nobody could use one
			if strings.Contains(out, secret) {
				t.Errorf("run %d printed a token %s…", i+1, secret)
			}
		}
		checkPlain(t, out)
		if t.Failed() {
			t.Log(out)
		}
	}
}

// checkPlain looks for what a terminal would act on.
func checkPlain(t *testing.T, out string) {
	t.Helper()
	if i := strings.IndexFunc(out, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("a control character in the output: %q", out[max(0, i-40):i+1])
	}
}

// TestUpOnceFails pushes a configuration whose job fails: the exit code says so.
func TestUpOnceFails(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if code, out := upOnce(t, data, "LANYARD_ROOT_TOKEN="+process.RootToken); code != 0 {
		t.Fatalf("got code %d\n%s", code, out)
	}
	server := process.Start(t, data)
	clone := filepath.Join(t.TempDir(), "hello")
	remote := strings.Replace(server.URL, "http://", "http://root:"+process.RootToken+"@", 1) + "/demo/hello.git"
	git(t, "", "clone", "--quiet", remote, clone)
	config := filepath.Join(clone, ".gitlab-ci.yml")
	if err := os.WriteFile(config, []byte("broken:\n  script:\n    - echo before\n    - exit 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, clone, "commit", "--quiet", "--all", "--message", "Break it")
	git(t, clone, "push", "--quiet", "-o", "ci.skip", "origin", "main")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	code, out := upOnce(t, data)
	if code != 1 {
		t.Errorf("got code %d, want 1", code)
	}
	for _, want := range []string{"\nbroken | before\n", "\nbroken = failed in ", "\n  test  broken failed\nfailed\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q in\n%s", want, out)
		}
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.com",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}

// pasted finds the curl line in the output of `lanyard up`.
var pasted = regexp.MustCompile(`(?m)^  curl (?:.*\\\n)*.*$`)

// TestUp does what a newcomer does: starts it while another program has the usual
// port, pastes the curl line into a shell, clones and pushes with the token, and
// presses Ctrl-C.
func TestUp(t *testing.T) {
	if busy, err := net.Listen("tcp", "127.0.0.1:8929"); err == nil { // else somebody else has it: just as well
		defer busy.Close()
	}
	data := filepath.Join(t.TempDir(), "data")
	process.CheckAtEnd(t, data)
	p := begin(t, nil, "up", "--data", data)
	p.waitFor("Stop: Ctrl+C.")
	url := regexp.MustCompile(`  server   (http://127\.0\.0\.1:(\d+))   \(127\.0\.0\.1:8929 is in use\)\n`).FindStringSubmatch(p.out.String())
	if url == nil || url[2] == "8929" {
		t.Fatalf("which port it took is not told:\n%s", p.out.String())
	}
	out, err := exec.Command("sh", "-c", pasted.FindString(p.out.String())).Output()
	if err != nil || !strings.Contains(string(out), `"status":"created"`) {
		t.Fatalf("the pasted line: %v\n%s", err, out)
	}
	process.Eventually(t, "log of the pasted line's pipeline", func() (bool, string) {
		resp, err := exec.Command("curl", "-sS", "--header", "PRIVATE-TOKEN: "+token(t, p), url[1]+"/api/v4/projects/1/jobs?scope[]=success&per_page=100").Output()
		return err == nil && strings.Count(string(resp), `"name":"compile"`) == 2, string(resp)
	})
	clone := filepath.Join(t.TempDir(), "hello")
	git(t, "", "clone", "--quiet", url[1]+"/demo/hello.git", clone)
	git(t, clone, "commit", "--quiet", "--allow-empty", "--message", "Look around")
	git(t, clone, "push", "--quiet", strings.Replace(url[1], "http://", "http://root:"+token(t, p)+"@", 1)+"/demo/hello.git", "main")
	p.signal(syscall.SIGINT)
	if code := p.end(); code != 0 {
		t.Errorf("Ctrl-C ends it with code %d", code)
	}

	// Again: the same trigger token, and no other token.
	again := begin(t, nil, "up", "--data", data, "--listen", "127.0.0.1:0")
	again.waitFor("Stop: Ctrl+C.")
	trigger := regexp.MustCompile(`glptt-\w+`)
	if first, second := trigger.FindString(p.out.String()), trigger.FindString(again.out.String()); first != second || first == "" {
		t.Errorf("the second start has trigger token %q, the first %q", second, first)
	}
	if strings.Contains(again.out.String(), "glpat-") {
		t.Error("the second start printed a token of root's")
	}
	again.signal(syscall.SIGTERM)
	if code := again.end(); code != 0 {
		t.Errorf("SIGTERM ends it with code %d", code)
	}
	for _, program := range []*program{p, again} {
		if program.err.String() != "" {
			t.Errorf("standard error has %q", program.err.String())
		}
	}
}

// token is root's, as `lanyard up` printed it.
func token(t *testing.T, p *program) string {
	t.Helper()
	found := regexp.MustCompile(`  token    (glpat-\w+) `).FindStringSubmatch(p.out.String())
	if found == nil {
		t.Fatalf("no token in\n%s", p.out.String())
	}
	return found[1]
}

// TestUpInterrupted ends `up --once` before there is a verdict.
func TestUpInterrupted(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	process.CheckAtEnd(t, data)
	p := begin(t, nil, "up", "--once", "--data", data, "--listen", "127.0.0.1:0")
	p.waitFor("| building English")
	p.signal(syscall.SIGINT)
	if code := p.end(); code != 130 {
		t.Errorf("got code %d, want 130", code)
	}
	if want := "lanyard: interrupted before the demo pipeline ended\n"; p.err.String() != want {
		t.Errorf("got %q, want %q", p.err.String(), want)
	}
}

// TestUpAsAnotherAccount runs the demo's jobs as nobody, which takes root, and is
// refused to everybody else. The program has another name here, as a download may.
func TestUpAsAnotherAccount(t *testing.T) {
	dir, err := os.MkdirTemp("", "lanyard-nobody") // that others may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "lanyard_linux_amd64")
	content, err := os.ReadFile(process.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, content, 0o755); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	p := beginBinary(t, binary, nil, "up", "--once", "--listen", "127.0.0.1:0", "--data", data, "--runner-user", "nobody")
	code := p.end()
	if os.Geteuid() != 0 {
		if want := "lanyard: built-in runner: running jobs as nobody needs root\n"; code != 2 || p.err.String() != want {
			t.Errorf("got code %d and %q, want 2 and %q", code, p.err.String(), want)
		}
		return
	}
	if code != 0 || !strings.Contains(p.out.String(), "jobs run as nobody") {
		t.Errorf("got code %d\n%s", code, p.out.String())
	}
	info, err := os.Stat(data)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data directory: %v, error %v", info, err)
	}
}

// TestAccountCannotReachData runs a job as nobody that looks for the server's data.
func TestAccountCannotReachData(t *testing.T) {
	dir, err := os.MkdirTemp("", "lanyard-nobody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if os.Geteuid() != 0 {
		code, _, errOut := run(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data, "--runner", "1", "--runner-user", "nobody")
		if code != 2 || !strings.Contains(errOut, "needs root") {
			t.Errorf("got code %d and %q", code, errOut)
		}
		return
	}
	server := process.Start(t, data, "--runner", "1", "--runner-user", "nobody")
	project, trigger := server.Project("look", fmt.Sprintf(`look:
  variables: {GIT_STRATEGY: none}
  script:
    - id -un
    - ls %[1]s || echo closed
    - cat %[1]s/keys.yml %[1]s/lanyard.db || echo closed too
    - cat /proc/%[2]d/environ || echo hidden
    - pwd
    - echo begun
`, data, server.PID()))
	log := readLog(t, server, project, startJob(t, server, project, trigger))
	for _, want := range []string{"\nnobody\n", "\nclosed\n", "\nclosed too\n", "\nhidden\n", "\n" + data + "-runner/0/root/look\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the job did not say %q:\n%s", want, log)
		}
	}
}
