package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Folders and suffixes that never collide with "<2 digits>/<id>.git".
const (
	trashName = "trash"
	newMark   = ".new-"
)

// settings is appended to the config file of every new repository, so that whoever
// runs git there by hand gets the same rules. What safety rests on is not here but
// in the environment (see environment).
const settings = `[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
[receive]
	advertisePushOptions = true
	autogc = false
	fsckObjects = true
[fsck]
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	zeroPaddedFilemode = ignore
[http]
	receivepack = true
[gc]
	auto = 0
[core]
	hooksPath = /dev/null
`

// Create makes an empty bare repository whose HEAD is defaultBranch. It appears
// under its name only when it is complete; one that is there already is ErrExist.
func (s *Server) Create(ctx context.Context, project int64, defaultBranch string) error {
	if project <= 0 {
		return fmt.Errorf("create repository: project id %d", project)
	}
	if err := CheckBranchName(defaultBranch); err != nil {
		return fmt.Errorf("create repository of project %d: %w", project, err)
	}
	there, err := s.Exists(ctx, project)
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("create repository of project %d: %w", project, ErrExist)
	}
	if err := s.create(ctx, project, defaultBranch); err != nil {
		return fmt.Errorf("create repository of project %d: %w", project, err)
	}
	return nil
}

func (s *Server) create(ctx context.Context, project int64, defaultBranch string) (err error) {
	final := s.Path(project)
	parent := filepath.Dir(final)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, strconv.FormatInt(project, 10)+newMark)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if _, err := s.runIn(ctx, dir, nil, "init", "--quiet", "--bare", "--template=",
		"--object-format=sha1", "--initial-branch="+defaultBranch, "--", dir); err != nil {
		return err
	}
	if err := s.appendSettings(filepath.Join(dir, "config")); err != nil {
		return err
	}
	if err := s.sync(filepath.Join(dir, "HEAD"), filepath.Join(dir, "refs"), filepath.Join(dir, "objects"), dir); err != nil {
		return err
	}
	if err := os.Rename(dir, final); err != nil {
		if _, statErr := os.Stat(final); statErr == nil {
			return ErrExist // somebody else made it in the meantime
		}
		return err
	}
	return s.sync(parent, s.root)
}

func (s *Server) appendSettings(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(settings)
	if err == nil && !s.noSync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sync flushes files and folders to the disk.
func (s *Server) sync(names ...string) error {
	if s.noSync {
		return nil
	}
	for _, name := range names {
		if err := syncPath(name); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes the repository out of sight with one rename and then deletes it. One
// that is not there is no error, so that a removal can be repeated; what a crash
// leaves half deleted goes with the next Sweep.
func (s *Server) Remove(ctx context.Context, project int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.pool.evict(project)
	trash, err := os.MkdirTemp(filepath.Join(s.root, trashName), strconv.FormatInt(project, 10)+"-")
	if err != nil {
		return fmt.Errorf("remove repository of project %d: %w", project, err)
	}
	err = os.Rename(s.Path(project), filepath.Join(trash, "repository.git"))
	if err == nil {
		err = s.sync(filepath.Dir(s.Path(project)))
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err = errors.Join(err, os.RemoveAll(trash)); err != nil {
		return fmt.Errorf("remove repository of project %d: %w", project, err)
	}
	return nil
}

// Pack rolls loose objects and small packs of a repository up into larger packs and its
// refs into one file, to be called now and then on repositories that were written to;
// git does not do so by itself here (gc.auto is 0). It drops no object, reachable or
// not: a pipeline may still run on a commit that no ref leads to any more. Readers and
// writers may go on meanwhile.
func (s *Server) Pack(ctx context.Context, project int64) error {
	if _, err := s.run(ctx, project, nil, "pack-refs", "--all"); err != nil {
		return fmt.Errorf("pack repository of project %d: %w", project, err)
	}
	if _, err := s.run(ctx, project, nil, "repack", "-q", "-d", "-l", "--geometric=2"); err != nil {
		return fmt.Errorf("pack repository of project %d: %w", project, err)
	}
	return nil
}

// SetHead points HEAD at a branch, which need not exist: what a plain clone checks out.
func (s *Server) SetHead(ctx context.Context, project int64, branch string) error {
	if err := CheckBranchName(branch); err != nil {
		return err
	}
	if _, err := s.run(ctx, project, nil, "symbolic-ref", "HEAD", branchPrefix+branch); err != nil {
		return fmt.Errorf("set HEAD of project %d to %q: %w", project, branch, err)
	}
	return nil
}

// invalid is a refusal with GitLab's words that carries a cause to tell it by.
func invalid(cause error, format string, args ...any) *ci.Error {
	return &ci.Error{Kind: ci.KindInvalid, Message: fmt.Sprintf(format, args...), Err: cause}
}
