package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// commitInfo is what the predefined variables need of a commit. A commit never
// changes, so it is read once.
type commitInfo struct {
	SHA       string
	Title     string
	Message   string
	Author    string // "Name <mail>"
	Timestamp time.Time
}

// A commitKey names a commit of one repository: another project's commit is never
// served from the cache to somebody who cannot reach it.
type commitKey struct {
	project ci.ProjectID
	sha     string
}

// commit reads a commit of a project. Errors: ci.KindNotFound.
func (e *Engine) commit(ctx context.Context, project ci.ProjectID, sha string) (commitInfo, error) {
	key := commitKey{project, sha}
	if info, ok := e.commits.get(key); ok {
		return info, nil
	}
	c, err := e.git.Commit(ctx, int64(project), sha)
	if errors.Is(err, git.ErrNotExist) {
		return commitInfo{}, ci.NotFound("Commit")
	}
	if err != nil {
		return commitInfo{}, fmt.Errorf("read commit %s of project %d: %w", sha, project, err)
	}
	info := commitInfo{
		SHA: c.SHA, Title: c.Title, Message: strings.ToValidUTF8(c.Message, "\uFFFD"),
		Author: c.AuthorName + " <" + c.AuthorEmail + ">", Timestamp: c.CommittedAt,
	}
	e.commits.put(key, info)
	return info, nil
}
