package trace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// Blobs is what this package needs of the blob store. Get gives length bytes from
// offset on, all when length is negative; Put replaces nothing, since keys are
// random; Delete of a blob that is not there is no error.
type Blobs interface {
	Put(ctx context.Context, key string, r io.Reader) (size int64, err error)
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	Delete(ctx context.Context, key string) error
}

// Config says where logs are kept and how large they may grow.
type Config struct {
	Store     *store.DB       // PostgreSQL, where all processes keep the tails; nil: in a file
	Path      string          // without Store, the database file of the tails; made when it is not there
	Blobs     Blobs           // for the chunks
	Now       ci.Clock        // for Info.Updated
	Rand      io.Reader       // for keys of blobs; nil: crypto/rand
	MaxBytes  int64           // of one log; 0: 100 MB, GitLab's default
	TailBytes int             // of one log in the database; 0: 512 KiB
	Logs      int             // states kept in memory; 0: 4,096
	Committed store.Committed // of groups of writes to the file; may be nil
	Appended  func(bytes int) // told of what was added to a log; must not wait; may be nil
}

// Defaults of Config.
const (
	defaultMaxBytes  = 100_000_000
	defaultTailBytes = 512 << 10
	defaultLogs      = 4096
)

// Traces has the logs of all jobs. Its methods may be called from any goroutine;
// writes to one log are done one after the other.
type Traces struct {
	config Config
	tails  tails

	mu     sync.Mutex // protects states
	states map[int64]*state
}

// Open opens the database, making what is not there, and marks for Sweep what a
// crash left unfinished in a file.
func Open(ctx context.Context, c Config) (*Traces, error) {
	if c.Path == "" && c.Store == nil || c.Blobs == nil || c.Now == nil {
		return nil, errors.New("open logs: a required part is missing")
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.TailBytes == 0 {
		c.TailBytes = defaultTailBytes
	}
	if c.Logs == 0 {
		c.Logs = defaultLogs
	}
	t := &Traces{config: c, states: map[int64]*state{}}
	var err error
	if c.Store != nil {
		t.tails, err = openShared(ctx, c.Store)
	} else {
		t.tails, err = openFile(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("open logs: %w", err)
	}
	return t, nil
}

// Queued is how many writes to the file wait for those before them; 0 without one.
func (t *Traces) Queued() int {
	if f, ok := t.tails.(*file); ok {
		return f.Queued()
	}
	return 0
}

// Close closes the database when what is being written is. No call may come later.
func (t *Traces) Close() error { return t.tails.Close() }

// Info is what is known about a log. The zero value stands for a log that is not
// there: nothing sent yet, or erased.
type Info struct {
	Size     int64     // bytes that can be read
	Lines    int64     // line ends among them
	Finished bool      // nothing more will come
	Updated  time.Time // of the last change
}

// Stat tells about a log.
func (t *Traces) Stat(ctx context.Context, job int64) (Info, error) {
	row, err := t.load(ctx, job)
	if err != nil {
		return Info{}, fmt.Errorf("stat log of job %d: %w", job, err)
	}
	info := Info{Size: row.size, Lines: row.lines, Finished: row.finished}
	if row.updated != 0 {
		info.Updated = time.UnixMicro(row.updated).UTC()
	}
	return info, nil
}

// Size gives how many bytes of a log can be read; 0 when it is not there.
func (t *Traces) Size(ctx context.Context, job int64) (int64, error) {
	info, err := t.Stat(ctx, job)
	return info.Size, err
}

// A state is a log that is being written. It may be forgotten at any time when
// nobody uses it: then what was held back is lost, as in a crash.
type state struct {
	users int // protected by Traces.mu

	mu     sync.Mutex // protects all fields below; held while the log is written
	loaded bool
	row    row
	held   held // what is not in the row yet
}

// length is what the runner has to continue from.
func (s *state) length() int64 { return s.row.size + int64(len(s.held.text)) }

// crc is the checksum of what the runner sent so far.
func (s *state) crc() uint32 { return checksum(s.row.crc, s.held.text) }

// lock gives the state of a log for writing; unlock ends the use.
func (t *Traces) lock(ctx context.Context, job int64) (s *state, unlock func(), err error) {
	t.mu.Lock()
	s = t.states[job]
	if s == nil {
		t.forgetSome()
		s = &state{}
		t.states[job] = s
	}
	s.users++
	t.mu.Unlock()

	s.mu.Lock()
	unlock = func() {
		loaded := s.loaded
		s.mu.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		if s.users--; s.users == 0 && !loaded {
			delete(t.states, job)
		}
	}
	if s.loaded && !t.tails.shared() {
		return s, unlock, nil
	}
	if err := t.refresh(ctx, job, s); err != nil {
		unlock()
		return nil, nil, err
	}
	return s, unlock, nil
}

// refresh loads the row of a state. What is held back counts only as long as
// nobody else has written to the log.
func (t *Traces) refresh(ctx context.Context, job int64, s *state) error {
	found, err := t.load(ctx, job)
	if err != nil {
		return err
	}
	if !s.loaded || found != s.row {
		s.loaded, s.row, s.held = true, found, held{ahead: found.ahead}
	}
	return nil
}

// forgetSome makes room for one more state. The caller holds t.mu.
func (t *Traces) forgetSome() {
	for job, s := range t.states {
		if len(t.states) < t.config.Logs {
			return
		}
		if s.users == 0 {
			delete(t.states, job)
		}
	}
}

// after is what to do with the state when a write failed: where it may have been
// committed all the same, or another process was faster, only the database knows
// how the log is now. It returns err.
func (s *state) after(err error) error {
	if errors.Is(err, store.ErrUnknown) || errors.Is(err, errMoved) {
		s.forget()
	}
	return err
}

// forget makes the next user of the state load it anew.
func (s *state) forget() { s.loaded, s.row, s.held = false, row{}, held{} }
