package git_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

// A smartServer is the least handler that a git client can talk to.
type smartServer struct {
	*git.Server
	t      *testing.T
	refuse string          // when set, pushes are refused with this message
	pushes []git.PushHead  // what came in
	proto  map[string]bool // Git-Protocol headers seen
}

func (h *smartServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protocol := r.Header.Get("Git-Protocol")
	h.proto[protocol] = true
	if strings.HasSuffix(r.URL.Path, "/info/refs") {
		service := r.URL.Query().Get("service")
		w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
		if err := h.InfoRefs(r.Context(), 7, service, protocol, w); err != nil {
			h.t.Error(err)
		}
		return
	}
	service := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	w.Header().Set("Content-Type", "application/x-"+service+"-result")
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			h.t.Error(err)
			return
		}
	}
	if service == git.ReceivePackService {
		in := bufio.NewReader(body)
		head, err := git.ParseCommands(in, git.PushLimits{})
		if err != nil {
			h.t.Error(err)
			return
		}
		h.pushes = append(h.pushes, head)
		if h.refuse != "" && len(head.Commands) > 0 {
			if _, err := io.Copy(io.Discard, in); err != nil {
				h.t.Error(err)
			}
			if err := git.RefusePush(w, head, h.refuse, "pre-receive hook declined"); err != nil {
				h.t.Error(err)
			}
			return
		}
		body = io.MultiReader(bytes.NewReader(head.Consumed), in)
	}
	if err := h.Serve(r.Context(), 7, service, protocol, []string{"REMOTE_USER=root"}, body, w); err != nil {
		h.t.Error(err)
	}
}

func startSmart(t *testing.T, s *git.Server) (*smartServer, string) {
	h := &smartServer{Server: s, t: t, proto: map[string]bool{}}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, server.URL + "/p.git"
}

// client runs a git client of its own in dir and returns all it says.
func client(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{
		"-c", "user.name=U", "-c", "user.email=u@example.com", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + git.DefaultPath, "HOME=" + dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := client(t, dir, args...)
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

func TestCloneAndPush(t *testing.T) {
	for _, protocol := range []string{"0", "1", "2"} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			s := gittest.Open(t)
			r := gittest.New(t, s, 7, map[string]string{"README": "hello"})
			h, url := startSmart(t, s)
			dir := t.TempDir()
			must(t, dir, "-c", "protocol.version="+protocol, "clone", "-q", url, "work")
			work := filepath.Join(dir, "work")
			if got, err := os.ReadFile(filepath.Join(work, "README")); err != nil || string(got) != "hello" {
				t.Errorf("cloned %q, %v", got, err)
			}
			if protocol != "0" && !h.proto["version="+protocol] {
				t.Errorf("protocols seen: %v", h.proto)
			}
			if err := os.WriteFile(filepath.Join(work, "new"), []byte("n"), 0o600); err != nil {
				t.Fatal(err)
			}
			must(t, work, "add", "new")
			must(t, work, "commit", "-q", "-m", "pushed")
			must(t, work, "tag", "-a", "-m", "one", "v1")
			before := r.SHA("main")
			must(t, work, "-c", "protocol.version="+protocol, "push", "-q", "-o", "ci.skip", "-o", `ci.variable=K=V w`,
				"origin", "main", "main:refs/heads/copy", "v1")
			after := must(t, work, "rev-parse", "HEAD")
			for _, ref := range []string{"main", "copy", "v1"} {
				if got := r.SHA(ref); got != after {
					t.Errorf("%s is %s, want %s", ref, got, after)
				}
			}
			tag := must(t, work, "rev-parse", "v1")
			want := git.PushHead{
				Commands: []git.Command{
					{Old: before, New: after, Ref: "refs/heads/main"},
					{Old: git.ZeroSHA, New: after, Ref: "refs/heads/copy"},
					{Old: git.ZeroSHA, New: tag, Ref: "refs/tags/v1"},
				},
				Options: []string{"ci.skip", "ci.variable=K=V w"},
			}
			got := h.pushes[len(h.pushes)-1]
			got.Capabilities, got.Consumed = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("push (-want +got):\n%s", diff)
			}
			must(t, work, "push", "-q", "origin", ":copy")
			if _, err := s.Resolve(t.Context(), 7, "copy"); !errors.Is(err, git.ErrNotExist) {
				t.Errorf("deleted branch: %v, want ErrNotExist", err)
			}
		})
	}
}

func TestRefusedPush(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "hello"})
	before := r.SHA("main")
	h, url := startSmart(t, s)
	dir := t.TempDir()
	must(t, dir, "clone", "-q", url, "work")
	work := filepath.Join(dir, "work")
	must(t, work, "commit", "-q", "--allow-empty", "-m", "x")
	h.refuse = "GitLab: You are not allowed to push code to protected branches on this project."
	out, err := client(t, work, "push", "origin", "main", "main:other")
	if err == nil {
		t.Error("the push went through")
	}
	for _, want := range []string{
		"remote: " + h.refuse,
		"! [remote rejected] main -> main (pre-receive hook declined)",
		"! [remote rejected] main -> other (pre-receive hook declined)",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the client says\n%s\nwithout %q", out, want)
		}
	}
	if got := r.SHA("main"); got != before {
		t.Errorf("main has moved to %s", got)
	}
}

// What the runner asks for: one commit by its name, under no ref, at some depth.
func TestFetchOfAnyCommit(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "1"})
	r.Commit("gone", "lost", map[string]string{"README": "2"})
	lost := r.Commit("gone", "lost", map[string]string{"README": "3"})
	if _, err := s.DeleteBranch(t.Context(), 7, "gone"); err != nil {
		t.Fatal(err)
	}
	_, url := startSmart(t, s)
	for _, protocol := range []string{"0", "2"} {
		work := t.TempDir()
		must(t, work, "init", "-q")
		must(t, work, "-c", "protocol.version="+protocol, "fetch", "-q", "--depth=1", url, "+"+lost+":refs/pipelines/11")
		if got := must(t, work, "rev-list", "refs/pipelines/11"); got != lost {
			t.Errorf("protocol %s: fetched %q, want only %s", protocol, got, lost)
		}
	}
}

func TestPushIsChecked(t *testing.T) {
	s := gittest.Open(t)
	gittest.New(t, s, 7, map[string]string{"README": "1"})
	_, url := startSmart(t, s)
	dir := t.TempDir()
	must(t, dir, "clone", "-q", url, "work")
	work := filepath.Join(dir, "work")
	if err := os.WriteFile(filepath.Join(work, ".gitmodules"), []byte("[submodule \"x\"]\n\tpath = x\n\turl = -u./payload\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, work, "add", ".")
	must(t, work, "commit", "-q", "-m", "poisoned")
	if out, err := client(t, work, "push", "origin", "main"); err == nil || !strings.Contains(out, "disallowed submodule url") {
		t.Errorf("poisoned push: %v\n%s", err, out)
	}
}

func TestPushSizeLimit(t *testing.T) {
	s := open(t, git.Config{MaxPush: 10_000})
	gittest.New(t, s, 7, map[string]string{"README": "1"})
	_, url := startSmart(t, s)
	dir := t.TempDir()
	must(t, dir, "clone", "-q", url, "work")
	work := filepath.Join(dir, "work")
	noise := make([]byte, 100_000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	if err := os.WriteFile(filepath.Join(work, "noise"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, work, "add", ".")
	must(t, work, "commit", "-q", "-m", "large")
	if out, err := client(t, work, "push", "origin", "main"); err == nil || !strings.Contains(out, "pack exceeds maximum allowed size") {
		t.Errorf("large push: %v\n%s", err, out)
	}
}

func TestServiceIsChecked(t *testing.T) {
	s := gittest.Open(t)
	gittest.New(t, s, 7, map[string]string{"README": "1"})
	for _, service := range []string{"", "upload-pack", "git-upload-archive", "git-receive-pack --x", "../git-upload-pack"} {
		var out bytes.Buffer
		if err := s.InfoRefs(t.Context(), 7, service, "", &out); ci.KindOf(err) != ci.KindForbidden || out.Len() != 0 {
			t.Errorf("info refs of %q: %v, %q", service, err, out.String())
		}
		if err := s.Serve(t.Context(), 7, service, "", nil, strings.NewReader("0000"), &out); ci.KindOf(err) != ci.KindForbidden || out.Len() != 0 {
			t.Errorf("serve %q: %v, %q", service, err, out.String())
		}
	}
	var out bytes.Buffer
	if err := s.InfoRefs(t.Context(), 9, git.UploadPackService, "", &out); !errors.Is(err, git.ErrNoRepository) || out.Len() != 0 {
		t.Errorf("no repository: %v, %q", err, out.String())
	}
	for protocol, wantHeader := range map[string]bool{"": true, "version=1": true, "version=2": false, "version=2\nX=y": true, "VERSION=2": true} {
		out.Reset()
		if err := s.InfoRefs(t.Context(), 7, git.UploadPackService, protocol, &out); err != nil {
			t.Errorf("%q: %v", protocol, err)
		}
		if got := strings.HasPrefix(out.String(), "001e# service=git-upload-pack\n0000"); got != wantHeader {
			t.Errorf("%q: header %v, want %v: %.60q", protocol, got, wantHeader, out.String())
		}
	}
}

// A client that stalls in mid-push is let go when its request ends.
func TestServeEndsWithItsContext(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "1"})
	in, feed := io.Pipe()
	defer feed.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	go func() {
		_, _ = io.WriteString(feed, "0067"+git.ZeroSHA+" "+r.SHA("main")+" refs/heads/x")
	}()
	time.AfterFunc(300*time.Millisecond, func() { _ = in.Close() }) // as net/http does with the body
	start := time.Now()
	var out bytes.Buffer
	err := s.Serve(ctx, 7, git.ReceivePackService, "", nil, in, &out)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}
