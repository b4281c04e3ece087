package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/runner"
)

// newRunner makes the built-in runner, or nil when it is off. It talks to this
// server over HTTP, like any other runner.
func (s *Server) newRunner(ctx context.Context) (r *runner.Runner, err error) {
	c := s.config
	if c.Runners == 0 {
		return nil, nil
	}
	if s.state.place, c.place, err = takePlace(c); err != nil {
		return nil, err
	}
	token, err := s.engine.BuiltInRunner(ctx, c.place)
	if err != nil {
		return nil, fmt.Errorf("set up built-in runner: %w", err)
	}
	path, err := c.jobPath()
	if err != nil {
		return nil, err
	}
	config := runner.Config{
		URL: s.LocalURL(), Token: token, Name: "built-in", Concurrency: c.Runners, WorkDir: c.work(), User: c.RunnerUser,
		Path: path, Lang: c.Lang, Term: c.Term, Logger: c.Logger, Version: c.Version.Version,
	}
	if s.cert != nil {
		config.Client = s.cert.own()
		if s.cert.private(s.urls.External.Hostname()) {
			config.CAFile = c.TLSCert // jobs clone from the external URL
		}
	}
	if r, err = runner.New(config); err != nil {
		return nil, usage("built-in runner: %v", err)
	}
	return r, nil
}

// maxPlaces bounds the built-in runners of servers that share a data directory.
const maxPlaces = 100

// takePlace finds the first place that no other server's built-in runner has. What
// runs there is one runner to the engine, whichever process it is in, so that a new
// start ends what an earlier one, which died, was running.
func takePlace(c Config) (lock *os.File, place int, err error) {
	for place = 1; place <= maxPlaces; place++ {
		lock, err = lockFile(c.workLock(place), false)
		if !errors.Is(err, errLocked) {
			return lock, place, err
		}
	}
	return nil, 0, usage("%d servers with a runner share the data directory already", maxPlaces)
}

// programName is what jobs call this program.
const programName = "lanyard"

// jobPath is where jobs look for programs. They find this one last, so that a job
// can start another project's pipeline with `lanyard trigger`: in its own folder,
// or, when its file has another name, by a link.
func (c Config) jobPath() (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own program: %w", err)
	}
	folder := filepath.Dir(program)
	if filepath.Base(program) != programName {
		folder = filepath.Join(c.work(), "bin")
		if err := link(program, filepath.Join(folder, programName)); err != nil {
			return "", usage("built-in runner: %v", err)
		}
	}
	return strings.TrimPrefix(c.Path+string(filepath.ListSeparator)+folder, string(filepath.ListSeparator)), nil
}

// link makes name a link to a program, in a folder that every account may read.
func link(program, name string) error {
	if found, err := os.Readlink(name); err == nil && found == program {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Dir(name), 0o755); err != nil { // whatever the umask
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(program, name)
}
