package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// commitInfo is what the predefined variables need of a commit. A commit never
// changes, so it is read once. All texts are valid UTF-8 of at most
// commitMessageLimit bytes.
type commitInfo struct {
	SHA         string
	Title       string
	Message     string
	Truncated   bool // the message was longer
	Description string
	Author      string // "Name <mail>"
	Login       string // of the account with the author's address when the commit was first read; "" without
	Timestamp   time.Time
	Skip        bool // the message asks for no pipeline
}

// A commitKey names a commit of one repository: another project's commit is never
// served from the cache to somebody who cannot reach it.
type commitKey struct {
	project ci.ProjectID
	sha     string
}

// weight is what a commit counts for in the cache.
func (c commitInfo) weight() int { return 1 + (len(c.Message)+len(c.Description)+len(c.Title))>>10 }

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
		SHA: c.SHA, Title: shortText(c.Title), Message: shortText(c.Message), Truncated: len(c.Message) > commitMessageLimit,
		Description: shortText(description(c.Title, c.Message)), Author: shortText(c.AuthorName + " <" + c.AuthorEmail + ">"),
		Timestamp: c.CommittedAt, Skip: skipMark.MatchString(c.Message),
	}
	author, err := e.view.UserByEmail(ctx, c.AuthorEmail)
	if err != nil && !ci.IsNotFound(err) {
		return commitInfo{}, fmt.Errorf("find author of commit %s of project %d: %w", sha, project, err)
	}
	info.Login = author.Username
	e.commits.put(key, info)
	return info, nil
}

// commitMessageLimit bounds CI_COMMIT_MESSAGE, in bytes, as GitLab does.
const commitMessageLimit = 100_000

// shortText cuts a text after the last whole character within the limit.
func shortText(s string) string {
	if len(s) <= commitMessageLimit {
		return s
	}
	cut := commitMessageLimit
	for cut > commitMessageLimit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.Clone(s[:cut]) // so that the rest does not stay in memory
}

// description is the message without its first line when that is short enough to
// be a title (contract/ci-yaml.md 5.5).
func description(title, message string) string {
	if utf8.RuneCountInString(title) >= maxTitle {
		return message
	}
	_, rest, _ := strings.Cut(message, "\n")
	return strings.TrimLeft(rest, "\n")
}

// maxTitle is from how many characters on a title counts as part of the message.
const maxTitle = 100

// tagMessage is what the tag of a ref says, "" for a branch, for a tag without a
// message and for one that is gone.
func (e *Engine) tagMessage(ctx context.Context, project ci.ProjectID, p ci.Pipeline) (string, error) {
	if !p.Tag {
		return "", nil
	}
	tag, err := e.git.Tag(ctx, int64(project), p.Ref)
	if errors.Is(err, git.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read tag %s of project %d: %w", p.Ref, project, err)
	}
	return shortText(strings.TrimRight(tag.Message, "\n")), nil
}
