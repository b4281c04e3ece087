package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testSessions(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	session := func(digest string, lasts time.Duration) ci.Session {
		s := ci.Session{Digest: []byte(digest), UserID: w.User.ID, CreatedAt: Epoch, ExpiresAt: Epoch.Add(lasts)}
		ok(t, db.CreateSession(ctx, s))
		return s
	}
	a, b := session("a", time.Hour), session("b", time.Minute)
	got, user, err := v.Session(ctx, a.Digest)
	ok(t, err)
	same(t, "session", got, a)
	same(t, "user", user, w.User)
	_, _, err = v.Session(ctx, []byte("c"))
	missing(t, "session", err)

	late := ci.Session{Digest: []byte("late"), UserID: w.User.ID, CreatedAt: Epoch.Add(time.Minute), ExpiresAt: Epoch.Add(time.Hour)}
	ok(t, db.CreateSession(ctx, late))
	_, _, err = v.Session(ctx, b.Digest)
	missing(t, "expired session", err)

	ok(t, db.EndSession(ctx, a.Digest))
	ok(t, db.EndSession(ctx, a.Digest))
	_, _, err = v.Session(ctx, a.Digest)
	missing(t, "ended session", err)

	same(t, "passwords", must(v.AnyPassword(ctx))(t), false)
	w.User.PasswordHash = "hash"
	ok(t, db.UpdateUser(ctx, w.User))
	same(t, "passwords", must(v.AnyPassword(ctx))(t), true)
}

func testSignInLinks(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	link := []byte("link")
	ok(t, db.CreateSignInLink(ctx, link, w.User.ID, Epoch, Epoch.Add(time.Minute)))
	use := func(digest string, link []byte, when time.Time) (ci.Session, error) {
		return db.UseSignInLink(ctx, link, ci.Session{Digest: []byte(digest), CreatedAt: when, ExpiresAt: when.Add(time.Hour)})
	}
	_, err := use("a", []byte("other"), Epoch)
	missing(t, "unknown link", err)
	_, err = use("a", link, Epoch.Add(time.Minute))
	missing(t, "expired link", err)
	_, _, err = v.Session(ctx, []byte("a"))
	missing(t, "session by a link that does not count", err)

	var wg sync.WaitGroup
	worked := make(chan ci.Session, 8)
	for i := range cap(worked) {
		wg.Go(func() {
			if s, err := use(string(rune('a'+i)), link, Epoch); err == nil {
				worked <- s
			} else if !ci.IsNotFound(err) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(worked)
	if len(worked) != 1 {
		t.Fatalf("got %d sessions by one link, want 1", len(worked))
	}
	s := <-worked
	got, _, err := v.Session(ctx, s.Digest)
	ok(t, err)
	same(t, "session", got, s)
	same(t, "user of the session", s.UserID, w.User.ID)

	// A new link takes those away that had expired by then.
	ok(t, db.CreateSignInLink(ctx, []byte("old"), w.User.ID, Epoch, Epoch.Add(time.Minute)))
	ok(t, db.CreateSignInLink(ctx, []byte("new"), w.User.ID, Epoch.Add(time.Hour), Epoch.Add(2*time.Hour)))
	_, err = use("z", []byte("old"), Epoch)
	missing(t, "link that was swept", err)
}
