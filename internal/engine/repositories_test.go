package engine

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/blob/disk"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// tidyEngine is a real engine in a temporary folder.
func tidyEngine(t *testing.T) *Engine {
	t.Helper()
	dir := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "db")})
	check(err)
	repositories, err := git.Open(git.Config{Root: filepath.Join(dir, "repositories"), NoSync: true})
	check(err)
	blobs, err := disk.Open(filepath.Join(dir, "blobs"))
	check(err)
	traces, err := trace.Open(t.Context(), trace.Config{Path: filepath.Join(dir, "logs.db"), Blobs: blobs, Now: time.Now})
	check(err)
	keys, _, err := auth.LoadKeys(filepath.Join(dir, "keys.yml"), rand.Reader)
	check(err)
	urls, err := wire.ParseURLs("http://127.0.0.1")
	check(err)
	e, err := New(Config{
		Store: db, Git: repositories, Blobs: blobs, Traces: traces, Hub: hub.New("test"), Keys: keys,
		Now: time.Now, Rand: rand.Reader, URLs: urls,
	})
	check(err)
	t.Cleanup(func() {
		for _, err := range []error{traces.Close(), repositories.Close(), db.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return e
}

func TestPackRepositories(t *testing.T) {
	e := tidyEngine(t)
	ctx := t.Context()
	root, err := e.Root(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, name := range []string{"busy", "quiet", "gone"} {
		p, err := e.CreateProject(ctx, Caller{User: root}, NewProject{Path: name})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, int64(p.ID))
	}
	gittest.Loose(t, e.git.Path(ids[0]), 30)
	gittest.Loose(t, e.git.Path(ids[1]), 10)
	if err := e.git.Remove(ctx, ids[2]); err != nil {
		t.Fatal(err)
	}
	if err := e.packRepositories(ctx); err != nil {
		t.Fatal(err)
	}
	if untidy, err := e.git.Untidy(ids[0]); err != nil || untidy {
		t.Errorf("after packing: untidy %v, %v", untidy, err)
	}
	packs := func(id int64) int {
		found, err := filepath.Glob(filepath.Join(e.git.Path(id), "objects", "pack", "*.pack"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if got := packs(ids[0]); got == 0 {
		t.Error("the busy repository has no pack")
	}
	if got := packs(ids[1]); got != 0 {
		t.Errorf("the quiet repository was packed: %d packs", got)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := e.Run(ended); err != nil {
		t.Errorf("run: %v", err)
	}
}
