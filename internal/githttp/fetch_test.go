package githttp_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestClone(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	token := w.token(w.user("reader", p, ci.Reporter), auth.ScopeReadRepository)
	for _, protocol := range []string{"0", "1", "2"} {
		g := emptyTree(t)
		g.must("-c", "protocol.version="+protocol, "clone", "-q", w.url("ROOT/Demo", "anybody", token), "work")
		got, err := os.ReadFile(filepath.Join(g.dir, "work", ".gitlab-ci.yml"))
		if err != nil || string(got) != demoConfig {
			t.Errorf("protocol %s: got %q, %v", protocol, got, err)
		}
	}
}

// What a runner does: a commit by its name, under no ref, into a ref of its own.
func TestShallowFetchOfACommit(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	w.commit(p, "main", "second", "a", "2")
	sha := w.sha(p, "main")
	w.commit(p, "main", "third", "a", "3")
	token, _ := w.jobToken()
	for _, protocol := range []string{"0", "2"} {
		g := emptyTree(t)
		url := w.url(p.FullPath, "gitlab-ci-token", token)
		g.must("-c", "protocol.version="+protocol, "fetch", "-q", "--depth=1", url,
			"+"+sha+":refs/pipelines/1", "+refs/heads/main:refs/remotes/origin/main")
		equal(t, "commits, protocol "+protocol, g.must("rev-list", "refs/pipelines/1"), sha)
		g.refused([]string{"not our ref"}, "-c", "protocol.version="+protocol, "fetch", "-q", url, strings.Repeat("ab", 20))
	}
	if strings.Contains(w.logged(), "level=ERROR") {
		t.Errorf("logged an error:\n%s", w.logged())
	}
}

func TestFetchByAnOldPath(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	token := w.token(w.root.User)
	work := w.clone(p, token)
	p.Path, p.FullPath = "renamed", "root/renamed"
	check(t, w.store.UpdateProject(t.Context(), p))
	work.must("fetch", "-q", "origin")
	work.commit("a", "1", "pushed to the old path")
	out := work.must("push", "origin", "main")
	for _, want := range []string{"remote: This project was moved to 'root/renamed'", "git remote set-url origin " + w.urls.Clone("root/renamed")} {
		if !strings.Contains(out, want) {
			t.Errorf("git says\n%s\nwithout %q", out, want)
		}
	}
	stranger := w.token(w.user("stranger", p, ci.NoRole))
	work.refused([]string{"not found"}, "fetch", w.url("root/demo", "x", stranger))
	if out, _ := work.run("fetch", w.url("root/demo", "x", stranger)); strings.Contains(out, "renamed") {
		t.Errorf("a stranger reads the new path: %s", out)
	}
}

// A client that leaves .git away is sent to the right address.
func TestCloneWithoutSuffix(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	url := strings.TrimSuffix(w.url(p.FullPath, "x", w.token(w.root.User)), ".git")
	emptyTree(t).must("clone", "-q", url, "work")
}

func TestManyClonesAtOnce(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	w.commit(p, "main", "more", "large", strings.Repeat("some text\n", 20_000))
	url := w.url(p.FullPath, "x", w.token(w.root.User))
	home := t.TempDir()
	clones := 100
	if testing.Short() {
		clones = 10
	}
	var all sync.WaitGroup
	for i := range clones {
		all.Go(func() {
			dir := filepath.Join(home, "c"+string(rune('a'+i/26))+string(rune('a'+i%26)))
			if out, err := runGit(t.Context(), home, home, "clone", "-q", "--bare", url, dir); err != nil {
				t.Errorf("clone %d: %v\n%s", i, err, out)
			}
		})
	}
	all.Wait()
}
