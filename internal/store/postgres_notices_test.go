package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// closing closes a database with the test.
func closing(t *testing.T, db *store.DB) *store.DB {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// notices opens those of a database until the test ends.
func notices(t *testing.T, url string) *store.Notices {
	t.Helper()
	n, err := closing(t, openAt(t, url, nil)).Notices()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// within fails the test when something takes too long.
func within[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("waited 30 s for %s", what)
		panic("unreachable")
	}
}

// TestPostgresNotices tells texts between two handles, in their order and with whatever
// is in them, and loses the connection that receives.
func TestPostgresNotices(t *testing.T) {
	url := migrated(t)
	relay := postgres.NewRelay(t, url)
	from, to := notices(t, url), notices(t, relay.URL())
	listening, got, ended := make(chan bool, 1), make(chan string, 10), make(chan error, 1)
	receive := func(ctx context.Context) {
		ended <- to.Receive(ctx, func() { listening <- true }, func(text string) { got <- text })
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go receive(ctx)
	within(t, "a connection", listening)
	texts := []string{`{"q":{"[1,\"a'b\"]":2}}`, "two", strings.Repeat("ü", 3990), "\\ ' \" $1"}
	if err := from.Send(t.Context(), texts); err != nil {
		t.Fatal(err)
	}
	for _, want := range texts {
		if text := within(t, "a text", got); text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	if err := from.Send(t.Context(), []string{"not sent", strings.Repeat("x", 8000)}); err == nil {
		t.Error("a text that is too long was sent")
	}
	relay.Lose()
	if err := within(t, "the end of the connection", ended); err == nil {
		t.Error("the end of the connection is no error")
	}
	if err := from.Send(t.Context(), []string{"missed"}); err != nil {
		t.Fatal(err)
	}
	go receive(ctx)
	within(t, "a new connection", listening)
	if err := from.Send(t.Context(), []string{"again"}); err != nil {
		t.Fatal(err)
	}
	if text := within(t, "a text", got); text != "again" {
		t.Errorf("got %q, want what was sent since", text)
	}
	cancel()
	if err := within(t, "the end", ended); err == nil {
		t.Error("the end is no error")
	}
}

// TestPostgresAlone has two processes read in one step and write in the next: neither
// undoes what the other did. The lock goes with the connection that holds it.
func TestPostgresAlone(t *testing.T) {
	url := migrated(t)
	relay := postgres.NewRelay(t, url)
	databases := [2]*store.DB{closing(t, openAt(t, url, nil)), closing(t, openAt(t, relay.URL(), nil))}
	var inside, most int
	var order sync.Mutex // makes the race detector content; Alone is what keeps them apart
	var group sync.WaitGroup
	for _, db := range databases {
		group.Go(func() {
			for range 10 {
				release, err := db.Alone(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				order.Lock()
				inside++
				most = max(most, inside)
				order.Unlock()
				time.Sleep(2 * time.Millisecond)
				order.Lock()
				inside--
				order.Unlock()
				release()
			}
		})
	}
	group.Wait()
	if most != 1 {
		t.Errorf("%d were alone at once", most)
	}
	release, err := databases[1].Alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	entered := make(chan func(), 1)
	go func() {
		release, err := databases[0].Alone(t.Context())
		if err != nil {
			t.Error(err)
			release = func() {}
		}
		entered <- release
	}()
	select {
	case <-entered:
		t.Fatal("two are alone at once")
	case <-time.After(100 * time.Millisecond):
	}
	relay.Lose()
	within(t, "the other one", entered)()
}
