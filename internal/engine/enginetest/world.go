// Package enginetest makes real engines for tests: a database, repositories, blobs and
// logs in a temporary folder, real keys, a clock that stands still until it is told
// otherwise.
//
// Three nouns: a World is one such server without its edges, a Runner takes and
// ends jobs of it, a Clock is its time. When the test ends, the World checks that
// every invariant of the database holds.
package enginetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/blob/disk"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// Config says what is unusual about a World. The zero value is a usual one.
type Config struct {
	URL      string // external URL; https://ci.example.com when empty
	Database string // URL of an empty PostgreSQL database; SQLite when empty
	Limits   engine.Limits
	Git      git.Config   // Root and NoSync are set by New
	Trace    trace.Config // Path, Blobs and Now are set by New
	Told     engine.Told
	Now      ci.Clock // instead of a Clock: time.Now for tests of what waits
	Remote   engine.Remote
}

// A World is a server without its edges. All of its parts are real.
type World struct {
	Engine *engine.Engine
	Store  *store.DB
	View   *store.View
	Git    *git.Server
	Blobs  *disk.Store
	Traces *trace.Traces
	Hub    *hub.Hub
	Keys   *auth.Keys
	URLs   wire.URLs
	Clock  *Clock // stands still; unused when Config.Now is set
	Logger *slog.Logger
	Root   engine.Caller // the administrator
	Dir    string        // where all of it lies, as in a data directory

	Statements *Statements // what the database was asked

	t      testing.TB
	config Config
	log    *logText
	number int      // of users and runners made so far
	damage []string // invariants that the test breaks
}

// New starts a World and ends it with the test.
func New(t testing.TB, c Config) *World {
	t.Helper()
	if c.URL == "" {
		c.URL = "https://ci.example.com"
	}
	w := &World{t: t, config: c, Clock: NewClock(Epoch), Statements: &Statements{}, log: &logText{}, Hub: hub.New("test")}
	if c.Now == nil {
		w.config.Now = w.Clock.Now
	}
	w.Logger = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.open(t.TempDir())
	w.Engine = w.NewEngine()
	w.Root = engine.Caller{User: Must(w.Engine.Root(t.Context()))(t)}
	return w
}

// open opens all that is on disk.
func (w *World) open(dir string) {
	t := w.t
	w.Dir = dir
	w.Store = Must(store.Open(t.Context(), store.Config{
		Path: filepath.Join(dir, "lanyard.db"), URL: w.config.Database, Now: w.config.Now, Logger: w.Logger, Statement: w.Statements.add,
	}))(t)
	closing(t, w.Store.Close)
	w.View = w.Store.View()
	gitConfig := w.config.Git
	gitConfig.Root, gitConfig.NoSync = filepath.Join(dir, "repositories"), true
	w.Git = Must(git.Open(gitConfig))(t)
	closing(t, w.Git.Close)
	w.Blobs = Must(disk.Open(filepath.Join(dir, "blobs")))(t)
	traceConfig := w.config.Trace
	if w.config.Database != "" {
		traceConfig.Store = w.Store
	}
	traceConfig.Path, traceConfig.Blobs, traceConfig.Now = filepath.Join(dir, "logs.db"), w.Blobs, w.config.Now
	w.Traces = Must(trace.Open(t.Context(), traceConfig))(t)
	closing(t, w.Traces.Close)
	t.Cleanup(w.check) // the first to run
	keys, _, err := auth.LoadKeys(filepath.Join(dir, "keys.yml"), rand.Reader)
	Check(t, err)
	w.Keys = keys
	w.URLs = Must(wire.ParseURLs(w.config.URL))(t)
}

// NewEngine makes another engine over the same parts, as a second replica is: the
// two share nothing in memory but the Hub. New has made the first one.
func (w *World) NewEngine() *engine.Engine {
	w.t.Helper()
	return Must(engine.New(engine.Config{
		Store: w.Store, Git: w.Git, Blobs: w.Blobs, Traces: w.Traces, Hub: w.Hub, Keys: w.Keys,
		Now: w.config.Now, Rand: rand.Reader, Logger: w.Logger, Limits: w.config.Limits, URLs: w.URLs, Told: w.config.Told, Remote: w.config.Remote,
	}))(w.t)
}

// Damage tells that a test breaks an invariant on purpose: the check at its end has
// to find exactly that, in words that start like these.
func (w *World) Damage(words string) { w.damage = append(w.damage, words) }

// check fails the test for each broken invariant. The test's own context has ended
// by then.
func (w *World) check() {
	check := engine.Check{View: w.View, Git: w.Git, Blobs: w.Blobs, Logs: w.Traces.Catalog(), Deep: true}
	var found []string
	for _, look := range []func(context.Context) ([]string, error){check.Rows, check.Disk} {
		broken, err := look(context.Background())
		if err != nil {
			w.t.Errorf("check invariants: %v", err)
		}
		found = append(found, broken...)
	}
	for _, damage := range w.damage {
		i := slices.IndexFunc(found, func(words string) bool { return strings.HasPrefix(words, damage) })
		if i < 0 {
			w.t.Errorf("the check did not find: %s", damage)
			continue
		}
		found = slices.Delete(found, i, i+1)
	}
	for _, words := range found {
		w.t.Errorf("broken invariant: %s", words)
	}
}

// Log is what was logged so far.
func (w *World) Log() string {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return w.log.text.String()
}

// A logText keeps what is logged.
type logText struct {
	mu   sync.Mutex // protects text
	text bytes.Buffer
}

// Write keeps more text.
func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Epoch is when every Clock starts. It has microseconds, since the database keeps
// them and answers show only milliseconds.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

// A Clock stands still until Advance moves it.
type Clock struct {
	mu  sync.Mutex // protects now
	now time.Time
}

// NewClock makes a clock that shows start.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Statements keeps the statements of the database while somebody asks for them.
type Statements struct {
	mu    sync.Mutex // protects all fields below
	count int64
	keep  bool
	seen  []string
}

func (s *Statements) add(query string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if s.keep {
		s.seen = append(s.seen, strings.Join(strings.Fields(query), " "))
	}
}

// Count is how many there were so far, those that begin and end transactions
// included.
func (s *Statements) Count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// During gives the statements that fn causes, each on one line.
func (s *Statements) During(fn func()) []string {
	s.mu.Lock()
	s.keep, s.seen = true, nil
	s.mu.Unlock()
	fn()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep = false
	return s.seen
}

// Must gives a value, or ends the test for its error.
func Must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		Check(t, err)
		return value
	}
}

// Check ends the test for an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Equal compares what a test got with what it wants.
func Equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Text is the text of a refusal as clients read it, with its kind in front; of no
// error it is "", of any other error the error itself.
func Text(err error) string {
	var refusal *ci.Error
	if !errors.As(err, &refusal) {
		if err == nil {
			return ""
		}
		return "error: " + err.Error()
	}
	text := refusal.Message
	for _, field := range []string{"base", "name", "path"} {
		text += strings.Join(refusal.Fields[field], "; ")
	}
	return fmt.Sprintf("%s: %s", refusal.Kind, text)
}

func closing(t testing.TB, close func() error) {
	t.Cleanup(func() {
		if err := close(); err != nil {
			t.Error(err)
		}
	})
}
