package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/git"
)

// Check opens a data directory that no server uses and lists the invariants that
// do not hold, in words. keyFile may be empty, as in Config. path is where the git
// program is looked for. Errors: *UsageError for a directory that is in use or
// holds no database, *store.NewerError.
func Check(ctx context.Context, data, keyFile, path string) (broken []string, err error) {
	c := Config{Data: data, KeyFile: keyFile, Path: path}.withDefaults()
	none, err := missing(c.database())
	if err != nil {
		return nil, usage("data directory: %v", err)
	}
	if none {
		return nil, usage("no database in %s", data)
	}
	s, err := openState(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if broken, err = s.store.View().Check(ctx); err != nil {
		return nil, err
	}
	repositories, err := s.checkRepositories(ctx)
	return append(broken, repositories...), err
}

// checkRepositories looks for projects whose repository is gone or cannot be read.
func (s *state) checkRepositories(ctx context.Context) (broken []string, err error) {
	ids, err := s.store.View().ProjectIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	for _, id := range ids {
		switch _, err := s.git.Refs(ctx, int64(id)); {
		case errors.Is(err, git.ErrNoRepository):
			broken = append(broken, fmt.Sprintf("project %d has no repository", id))
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			broken = append(broken, fmt.Sprintf("the repository of project %d cannot be read: %v", id, err))
		}
	}
	return broken, nil
}
