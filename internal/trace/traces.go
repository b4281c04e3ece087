package trace

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
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
	Path      string    // database file of the tails; made when it is not there
	Blobs     Blobs     // for the chunks
	Now       ci.Clock  // for Info.Updated
	Rand      io.Reader // for keys of blobs; nil: crypto/rand
	MaxBytes  int64     // of one log; 0: 100 MB, GitLab's default
	TailBytes int       // of one log in the database file; 0: 512 KiB
	Logs      int       // states kept in memory; 0: 4,096
}

// Defaults of Config.
const (
	defaultMaxBytes  = 100_000_000
	defaultTailBytes = 512 << 10
	defaultLogs      = 4096
)

// readers is how many reads of the database file run at once.
const readers = 4

// Traces has the logs of all jobs. Its methods may be called from any goroutine;
// writes to one log are done one after the other.
type Traces struct {
	config Config
	writer *store.Writer
	reads  *sql.DB
	wal    *os.File // to make what was committed durable, see durable

	mu     sync.Mutex // protects states
	states map[int64]*state
}

// Open opens the database file, making it when it is not there, and marks for
// Sweep what a crash left unfinished.
func Open(ctx context.Context, c Config) (*Traces, error) {
	if c.Path == "" || c.Blobs == nil || c.Now == nil {
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
	if err := t.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open logs: %w", err), t.Close())
	}
	return t, nil
}

func (t *Traces) open(ctx context.Context) (err error) {
	if t.writer, err = store.OpenWriter(ctx, store.WriterConfig{Path: t.config.Path, Synchronous: "normal"}); err != nil {
		return err
	}
	if err := t.writer.Do(ctx, migrate); err != nil {
		return err
	}
	if t.reads, err = sql.Open("sqlite", readDSN(t.config.Path)); err != nil {
		return err
	}
	t.reads.SetMaxOpenConns(readers)
	t.reads.SetMaxIdleConns(readers)
	if err := t.reads.PingContext(ctx); err != nil {
		return err
	}
	if t.wal, err = os.OpenFile(t.config.Path+"-wal", os.O_RDWR, 0); err != nil {
		return err
	}
	return syncDir(filepath.Dir(t.config.Path))
}

// Close closes the file when what is being written is. No call may come later.
func (t *Traces) Close() error {
	var problems []error
	if t.reads != nil {
		problems = append(problems, t.reads.Close())
	}
	if t.wal != nil {
		problems = append(problems, t.wal.Close())
	}
	if t.writer != nil {
		problems = append(problems, t.writer.Close())
	}
	return errors.Join(problems...)
}

// durable returns when everything committed before is on disk. Commits themselves
// are not synced, so that appending stays cheap. They are in the write-ahead log
// then, or, when that was checkpointed and begun anew, in the synced database
// file; so syncing the write-ahead log is enough. SQLite keeps the file while
// connections are open, and takes no locks on it that closing another descriptor
// could drop.
func (t *Traces) durable() error {
	if err := t.wal.Sync(); err != nil {
		return fmt.Errorf("sync logs: %w", err)
	}
	return nil
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

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
	if s.loaded {
		return s, unlock, nil
	}
	if s.row, err = t.load(ctx, job); err != nil {
		unlock()
		return nil, nil, err
	}
	s.loaded, s.held = true, held{ahead: s.row.ahead}
	return s, unlock, nil
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
// committed all the same, only the file knows how the log is now. It returns err.
func (s *state) after(err error) error {
	if errors.Is(err, store.ErrUnknown) {
		s.forget()
	}
	return err
}

// forget makes the next user of the state load it anew.
func (s *state) forget() { s.loaded, s.row, s.held = false, row{}, held{} }
