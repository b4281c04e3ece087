// Package git keeps the repositories of projects: bare ones on disk, read and
// written by the git program (2.36 or newer), never by a library.
//
// A [Server] owns one folder. Project 7 lives in "07/7.git" there, by its id, so
// that renaming a project moves nothing and a new project never inherits an old
// repository. Three ways lead into a repository:
//
//   - Questions about single objects (what is main, what does .gitlab-ci.yml say at
//     this commit) go to a small pool of `git cat-file --batch-command` processes,
//     which answer in a tenth of a millisecond and see a push at once.
//   - Questions about many objects (all paths, a diff, a log) start one git process.
//   - Writes for the API build their objects here, hand them to git as one pack, and
//     then move the ref by compare-and-swap; clone, fetch and push stream to
//     upload-pack and receive-pack.
//
// Names never reach git unchecked: a revision is 40 hexadecimal digits, a valid ref
// name or nothing, and a path cannot climb, hold a line break or name ".git". Git
// itself runs with an environment of our own, without hooks, without anybody's
// configuration, and unable to speak any transport by itself.
package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Errors that callers tell apart. They come wrapped.
var (
	ErrNotExist     = errors.New("no such object, ref or path")
	ErrNoRepository = errors.New("no such repository")
	ErrExist        = errors.New("already there")
	ErrTooLarge     = errors.New("larger than the limit")
	ErrMoved        = errors.New("ref has another value by now")
	ErrFileChanged  = errors.New("file has changed since the given commit")
	ErrClosed       = errors.New("git server is closed")
)

// DefaultPath is where programs are looked for when Config.Path is empty.
const DefaultPath = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"

// Config says where repositories live and how many processes may serve them. Only
// Root is required.
type Config struct {
	Root string // folder of all repositories; made when missing
	Git  string // the program, a name looked up in Path or a file; "git" when empty
	Path string // PATH for git and what it starts; DefaultPath when empty

	CatFiles    int           // reading processes kept per repository in use; 4 when 0
	MaxCatFiles int           // reading processes over all repositories; 64 when 0
	CatFileIdle time.Duration // an idle reading process ends after this; 60 s when 0

	MaxFile int64 // bytes of one file or commit that are read into memory; 16 MiB when 0
	MaxPush int64 // bytes of one pushed pack; no limit when 0

	NoSync bool // leave flushing to the operating system: for tests only
}

// A Server reads and writes the repositories below one folder. It is safe for
// concurrent use, also by several processes on the same folder.
type Server struct {
	root    string
	git     string // absolute path of the program
	env     []string
	maxFile int64
	noSync  bool
	pool    *pool
}

// Open finds the git program, checks that it is 2.36 or newer, and makes the folder.
func Open(c Config) (*Server, error) {
	if c.Root == "" {
		return nil, errors.New("open repositories: no folder given")
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return nil, fmt.Errorf("open repositories: %w", err)
	}
	if c.Git == "" {
		c.Git = "git"
	}
	if c.Path == "" {
		c.Path = DefaultPath
	}
	program, err := find(c.Git, c.Path)
	if err != nil {
		return nil, fmt.Errorf("open repositories: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(root, trashName), 0o700); err != nil {
		return nil, fmt.Errorf("open repositories: %w", err)
	}
	s := &Server{
		root:    root,
		git:     program,
		env:     environment(c, root),
		maxFile: orDefault(c.MaxFile, 16<<20),
		noSync:  c.NoSync,
	}
	s.pool = &pool{
		start:         s.startCatFile,
		perRepository: orDefault(c.CatFiles, 4),
		max:           orDefault(c.MaxCatFiles, 64),
		idleFor:       orDefault(c.CatFileIdle, time.Minute),
		live:          map[int64]int{},
		idle:          map[int64][]*catFile{},
	}
	if err := s.checkVersion(); err != nil {
		return nil, fmt.Errorf("open repositories: %w", err)
	}
	return s, nil
}

// Close ends the reading processes and waits for them. Calls after it fail with ErrClosed.
func (s *Server) Close() error {
	s.pool.close()
	return nil
}

// Path is the folder of a project's repository, whether or not it is there.
func (s *Server) Path(project int64) string {
	return filepath.Join(s.root, fmt.Sprintf("%02d", project%100), strconv.FormatInt(project, 10)+".git")
}

// Exists reports whether the project has a repository on disk.
func (s *Server) Exists(ctx context.Context, project int64) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, err := os.Stat(filepath.Join(s.Path(project), "HEAD"))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	}
	return false, fmt.Errorf("look for repository of project %d: %w", project, err)
}

const minMajor, minMinor = 2, 36

// checkVersion asks the program once who it is: `cat-file --batch-command` came with 2.36.
func (s *Server) checkVersion() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := s.runIn(ctx, s.root, nil, "version")
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", s.git, err)
	}
	text := strings.TrimPrefix(strings.TrimSpace(string(out)), "git version ")
	var major, minor int
	if _, err := fmt.Sscanf(text, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("%s gives an unknown version %q", s.git, text)
	}
	if major < minMajor || major == minMajor && minor < minMinor {
		return fmt.Errorf("%s is version %s, needed is %d.%d or newer", s.git, text, minMajor, minMinor)
	}
	return nil
}

func orDefault[T ~int | ~int64](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}
