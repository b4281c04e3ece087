package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// shared gives a Config whose tails are in a new PostgreSQL database.
func shared(t testing.TB) Config {
	t.Helper()
	url := postgres.Copy(t, "migrated", func(url string) error {
		db, err := store.Open(t.Context(), store.Config{URL: url})
		if err != nil {
			return err
		}
		return db.Close()
	})
	db, err := store.Open(context.Background(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	c := config(t)
	c.Store, c.Path = db, ""
	return c
}

// TestReplicasAppend sends the pieces of a log to two processes by turns, as a
// runner behind a load balancer does, and continues where each says the log ends.
func TestReplicasAppend(t *testing.T) {
	c := shared(t)
	c.TailBytes = 50
	const secret = "abc-hunter-abc"
	replicas := []*Traces{open(t, c), open(t, c)}
	text := strings.Repeat("the password is "+secret+", and so on: "+secret+secret+" abc\n", 20)
	want := strings.ReplaceAll(text, secret, strings.Repeat("x", len(secret)))
	refused := 0
	for sent, turn := int64(0), 0; sent < int64(len(text)); turn++ {
		piece := text[sent:min(int(sent)+7+turn%13, len(text))]
		length, err := replicas[turn%2].Append(t.Context(), 7, sent, []byte(piece), []string{secret})
		var mismatch *Mismatch
		switch {
		case err == nil:
			sent = length
		case errors.As(err, &mismatch) && mismatch.Stored >= sent-int64(len(secret)):
			sent = mismatch.Stored
			refused++
		default:
			t.Fatalf("turn %d at %d: got %d, %v", turn, sent, length, err)
		}
	}
	if refused == 0 {
		t.Error("no piece was sent again: nothing was held back, and the test proves little")
	}
	for i, replica := range replicas {
		if got := all(t, replica, 7); got != want {
			t.Errorf("replica %d: got %q, want %q", i, got, want)
		}
	}
	if ok, err := replicas[0].Finish(t.Context(), 7, crcOf(text), int64(len(text))); err != nil || !ok {
		t.Errorf("finish: got %v, %v", ok, err)
	}
	if got := all(t, replicas[1], 7); got != want {
		t.Errorf("finished: got %d bytes, want %d", len(got), len(want))
	}
	var mismatch *Mismatch
	if _, err := replicas[1].Append(t.Context(), 7, int64(len(text)), []byte("more"), nil); !errors.As(err, &mismatch) {
		t.Errorf("append to what another process has finished: got %v, want a mismatch", err)
	}
}

// TestReplicasStored asks how long a log is of which all is held back: that is told,
// and asking loses none of it.
func TestReplicasStored(t *testing.T) {
	logs := open(t, shared(t))
	if length, err := logs.Append(t.Context(), 7, 0, []byte("abc"), []string{"abc-hunter-abc"}); err != nil || length != 3 {
		t.Fatalf("append: got %d, %v, want 3", length, err)
	}
	if length, err := logs.Stored(t.Context(), 7); err != nil || length != 3 {
		t.Errorf("stored: got %d, %v, want 3", length, err)
	}
	if ok, err := logs.Finish(t.Context(), 7, crcOf("abc"), 3); err != nil || !ok {
		t.Errorf("finish: got %v, %v", ok, err)
	}
	if got := all(t, logs, 7); got != "abc" {
		t.Errorf("got %q, want abc", got)
	}
}

// TestReplicasSealTwice has a process seal a tail that another one has just sealed.
func TestReplicasSealTwice(t *testing.T) {
	c := shared(t)
	logs, other := open(t, c), open(t, c)
	add(t, logs, 7, "0123456789")
	before, err := logs.load(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := other.Finish(t.Context(), 7, "", 0); err != nil || !ok {
		t.Fatalf("finish: got %v, %v", ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := logs.seal(ctx, 7, &state{loaded: true, row: before}); !errors.Is(err, errMoved) {
		t.Errorf("got %v, want %v", err, errMoved)
	}
}

// TestReplicasRace has two processes append at the same offset at once: one wins
// each time, and nothing is there twice.
func TestReplicasRace(t *testing.T) {
	c := shared(t)
	c.TailBytes = 40
	replicas := []*Traces{open(t, c), open(t, c)}
	const lines = 60
	var want strings.Builder
	for i := range lines {
		line := fmt.Sprintf("line %d\n", i)
		start := int64(want.Len())
		want.WriteString(line)
		var won [2]bool
		var group sync.WaitGroup
		for j, replica := range replicas {
			group.Go(func() {
				length, err := replica.Append(t.Context(), 7, start, []byte(line), nil)
				var mismatch *Mismatch
				switch {
				case err == nil:
					won[j] = true
				case !errors.As(err, &mismatch):
					t.Errorf("line %d: got %d, %v", i, length, err)
				}
			})
		}
		group.Wait()
		if won[0] == won[1] {
			t.Fatalf("line %d: winners are %v, want one", i, won)
		}
	}
	if got := all(t, replicas[0], 7); got != want.String() {
		t.Errorf("got %q, want %q", got, want.String())
	}
	var group sync.WaitGroup
	for _, replica := range replicas {
		group.Go(func() {
			if ok, err := replica.Finish(t.Context(), 7, crcOf(want.String()), int64(want.Len())); err != nil || !ok {
				t.Errorf("finish: got %v, %v", ok, err)
			}
		})
	}
	group.Wait()
	if got := all(t, replicas[1], 7); got != want.String() {
		t.Errorf("finished: got %d bytes, want %d", len(got), want.Len())
	}
}

// TestReplicasSweep lets one process sweep while another writes a chunk: only what
// was left behind goes.
func TestReplicasSweep(t *testing.T) {
	now := noon
	c := shared(t)
	c.TailBytes, c.Now = 10, func() time.Time { return now }
	logs, other := open(t, c), open(t, c)
	add(t, logs, 7, "0123456789")
	const key = "0123456789abcdef0123456789abcdef"
	if err := logs.tails.Do(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`insert into log_trash (blob_key, ready) values ($1, $2)`, key, now.Add(sealTime).UnixMicro())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	again := open(t, c) // a process that begins does not touch what another writes
	for _, replica := range []*Traces{other, again} {
		if removed, err := replica.Sweep(t.Context(), 10); err != nil || removed != 0 {
			t.Errorf("sweep while a blob is being written: got %d, %v, want 0", removed, err)
		}
	}
	now = now.Add(sealTime)
	if removed, err := other.Sweep(t.Context(), 10); err != nil || removed != 1 {
		t.Errorf("sweep of what was left behind: got %d, %v, want 1", removed, err)
	}
	err := logs.tails.Do(t.Context(), func(tx *store.Tx) error {
		before, err := logs.load(t.Context(), 7)
		if err != nil {
			return err
		}
		after := before
		after.sealed = before.size
		return addChunk(tx, 7, before, after, key, []byte("0123456789"))
	})
	if !errors.Is(err, errLate) {
		t.Errorf("chunk whose blob was swept: got %v, want %v", err, errLate)
	}
	if got := all(t, other, 7); got != "0123456789" {
		t.Errorf("got %q, want 0123456789", got)
	}
}

// TestReplicasErase erases a log that another process is writing.
func TestReplicasErase(t *testing.T) {
	c := shared(t)
	c.TailBytes = 10
	logs, other := open(t, c), open(t, c)
	add(t, logs, 7, "0123456789")
	add(t, logs, 7, "0123456789")
	if err := other.Erase(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	var mismatch *Mismatch
	if _, err := logs.Append(t.Context(), 7, 20, []byte("more"), nil); !errors.As(err, &mismatch) || mismatch.Stored != 0 {
		t.Errorf("append to an erased log: got %v, want a mismatch at 0", err)
	}
	if removed, err := logs.Sweep(t.Context(), 10); err != nil || removed != 1 {
		t.Errorf("sweep: got %d, %v, want 1", removed, err)
	}
}

func TestNewerTablesAreRefused(t *testing.T) {
	c := shared(t)
	open(t, c)
	if err := c.Store.SetMeta(t.Context(), "logs", "99"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), c); !errors.Is(err, store.ErrNewer) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// TestDatabaseCrashDuringSeal crashes PostgreSQL when the blob of a chunk is
// written and its row is not: the database knows the blob that is left behind.
func TestDatabaseCrashDuringSeal(t *testing.T) {
	cluster, err := postgres.Start(postgres.Config{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	db, err := store.Open(t.Context(), store.Config{URL: cluster.New(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	c := config(t)
	c.Store, c.Path, c.TailBytes = db, "", 10
	c.Blobs = crashing{c.Blobs, cluster}
	logs := open(t, c)
	add(t, logs, 7, "0123456789")
	if _, err := logs.Append(t.Context(), 7, 10, []byte("more"), nil); err == nil {
		t.Error("the piece was taken without a database")
	}
	if err := cluster.Run(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, logs, `select count(*) from log_trash`); got != 1 {
		t.Errorf("%d blobs are known that nothing names, want 1", got)
	}
}

// crashing are blobs; when one is written, the database crashes.
type crashing struct {
	Blobs
	cluster *postgres.Cluster
}

func (c crashing) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	size, err := c.Blobs.Put(ctx, key, r)
	return size, errors.Join(err, c.cluster.Kill())
}
