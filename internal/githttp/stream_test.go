package githttp_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// stalled begins a push that stops in the middle of its pack, and gives the
// connection.
func (w *world) stalled(p ci.Project, token string) net.Conn {
	w.t.Helper()
	line := ci.ZeroSHA + " " + w.sha(p, "main") + " refs/heads/stalled\x00 report-status side-band-64k"
	body := fmt.Sprintf("%04x%s0000PACK\x00\x00\x00\x02\x00\x00\x00\x09", len(line)+4, line)
	r := must(http.NewRequest("POST", w.server.URL+"/"+p.FullPath+".git/git-receive-pack", nil))(w.t)
	r.SetBasicAuth("x", token)
	conn := must(net.Dial("tcp", w.server.Listener.Addr().String()))(w.t)
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/x-git-receive-pack-request\r\n"+
		"Content-Length: 100000\r\n\r\n%s", r.URL.Path, r.Header.Get("Authorization"), body)
	check(w.t, err)
	return conn
}

// quarantines counts the pushes that git is receiving right now.
func (w *world) quarantines(p ci.Project) int {
	w.t.Helper()
	found := must(filepath.Glob(filepath.Join(w.git.Path(int64(p.ID)), "objects", "tmp_objdir-*")))(w.t)
	return len(found)
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never came true: %s", what)
}

// When a client leaves, or is silent for too long, git ends and nothing is left.
func TestGitEndsWithItsClient(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	token := w.developer(p)
	conn := w.stalled(p, token)
	eventually(t, "git receives the push", func() bool { return w.quarantines(p) == 1 })
	check(t, conn.Close())
	eventually(t, "git has cleaned up", func() bool { return w.quarantines(p) == 0 })

	w.handler.Impatient(time.Second)
	conn = w.stalled(p, token)
	defer conn.Close()
	eventually(t, "git receives the push", func() bool { return w.quarantines(p) == 1 })
	eventually(t, "git has cleaned up", func() bool { return w.quarantines(p) == 0 })
	check(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the connection was not closed: %v", err)
	}
	equal(t, "stalled", w.sha(p, "stalled"), "")
	equal(t, "stalled in the table", w.recorded(p, "refs/heads/stalled"), "")
	if strings.Contains(w.logged(), "level=ERROR") {
		t.Errorf("logged an error:\n%s", w.logged())
	}
}

// A client that sends nothing at all is let go before git is started.
func TestSilentClients(t *testing.T) {
	w := newWorld(t)
	w.project("demo")
	w.handler.Impatient(200 * time.Millisecond)
	body, feed := io.Pipe()
	defer feed.Close()
	r := must(http.NewRequestWithContext(t.Context(), "POST", w.server.URL+"/root/demo.git/git-receive-pack", body))(t)
	basic("x", w.token(w.root.User))(r)
	pushType(r)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	got := must(client.Do(r))(t)
	defer got.Body.Close()
	said := string(must(io.ReadAll(got.Body))(t))
	if got.StatusCode != 400 || !strings.Contains(said, "silent for too long") {
		t.Errorf("got %d %q", got.StatusCode, said)
	}
}

// A client that takes no answer is let go as well.
func TestDeafClients(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	noise := make([]byte, 12<<20) // more than any socket buffers
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	w.commit(p, "main", "noise", "noise", string(noise))
	w.handler.Impatient(500 * time.Millisecond)
	r := must(http.NewRequest("POST", "http://x/", nil))(t)
	r.SetBasicAuth("x", w.token(w.root.User))
	conn := must(net.Dial("tcp", w.server.Listener.Addr().String()))(t)
	defer conn.Close()
	body := "0032want " + w.sha(p, "main") + "\n00000009done\n"
	_, err := fmt.Fprintf(conn, "POST /root/demo.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n"+
		"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: %d\r\n\r\n%s", r.Header.Get("Authorization"), len(body), body)
	check(t, err)
	eventually(t, "the request has ended", func() bool {
		return strings.Contains(w.logged(), "route=/{project}.git/git-upload-pack status=499")
	})
}

// With no room for another git process a client is asked to come again.
func TestQueue(t *testing.T) {
	w := newWorld(t, func(s *settings) { s.processes = 1 })
	p := w.project("demo")
	token := w.developer(p)
	conn := w.stalled(p, token)
	eventually(t, "git receives the push", func() bool { return w.quarantines(p) == 1 })
	w.handler.Impatient(100 * time.Millisecond)
	got := w.request("GET", "/root/demo.git"+fetchRefs, "", basic("x", token))
	if got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %v %q", got.status, got.header, got.body)
	}
	check(t, conn.Close())
	w.handler.Impatient(10 * time.Second)
	equal(t, "when there is room", w.request("GET", "/root/demo.git"+fetchRefs, "", basic("x", token)).status, 200)
}

// Git packs its request when it has much to say about what it has.
func TestPackedRequest(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	token := basic("x", w.token(w.root.User))
	fetch := func(encoding string) reply {
		return w.request("POST", "/root/demo.git/git-upload-pack", zip(t, "0032want "+w.sha(p, "main")+"\n00000009done\n"),
			token, fetchType, header("Content-Encoding", encoding))
	}
	for _, encoding := range []string{"gzip", "x-gzip"} {
		if got := fetch(encoding); got.status != 200 || !strings.HasPrefix(got.body, "0008NAK\nPACK") {
			t.Errorf("%s: got %d %.80q", encoding, got.status, got.body)
		}
	}
	w.handler.FetchBody(30)
	equal(t, "status of a request that is too large", fetch("gzip").status, 413)
}

func zip(t *testing.T, text string) string {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	must(z.Write([]byte(text)))(t)
	check(t, z.Close())
	return packed.String()
}

// Of pushes to one branch at the same moment each that git takes gets its pipeline,
// and the table of refs ends up with what the repository has.
func TestPushesAtOnce(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	token := w.developer(p)
	had := len(w.pipelines(p))
	var works []*workTree
	for i := range 8 {
		work := w.clone(p, token)
		work.commit("a", fmt.Sprint(i), "x")
		works = append(works, work)
	}
	var all sync.WaitGroup
	for i, work := range works {
		all.Go(func() {
			for range 3 { // those that lose the race for the lock try again
				if _, err := work.run("push", "-q", "-f", "origin", "main", fmt.Sprint("main:own-", i)); err == nil {
					return
				}
			}
		})
	}
	all.Wait()
	equal(t, "main in the table", w.recorded(p, "refs/heads/main"), w.sha(p, "main"))
	own := 0
	for _, pipeline := range w.pipelines(p)[had:] {
		if strings.HasPrefix(pipeline.Ref, "own-") {
			own++
		}
	}
	equal(t, "pipelines of new branches", own, 8)
}
