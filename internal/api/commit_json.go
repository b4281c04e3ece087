package api

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/git"
)

// commitShape is GitLab's Commit (contract/trigger-api.md 6.2).
type commitShape struct {
	ID               string              `json:"id"`
	ShortID          string              `json:"short_id"`
	CreatedAt        ownStamp            `json:"created_at"`
	ParentIDs        []string            `json:"parent_ids"`
	Title            string              `json:"title"`
	Message          string              `json:"message"`
	AuthorName       string              `json:"author_name"`
	AuthorEmail      string              `json:"author_email"`
	AuthoredDate     ownStamp            `json:"authored_date"`
	CommitterName    string              `json:"committer_name"`
	CommitterEmail   string              `json:"committer_email"`
	CommittedDate    ownStamp            `json:"committed_date"`
	Trailers         map[string]string   `json:"trailers"`
	ExtendedTrailers map[string][]string `json:"extended_trailers"`
	WebURL           string              `json:"web_url"`
}

// commitShape shows a commit of a project.
func (a *API) commitShape(project string, c git.Commit) commitShape {
	shape := commitShape{
		ID: c.SHA, ShortID: c.SHA[:min(8, len(c.SHA))], CreatedAt: ownStamp(c.CommittedAt), ParentIDs: c.Parents,
		Title: shortTitle(c.Title), Message: c.Message, AuthorName: c.AuthorName, AuthorEmail: c.AuthorEmail,
		AuthoredDate: ownStamp(c.AuthoredAt), CommitterName: c.CommitterName, CommitterEmail: c.CommitterEmail,
		CommittedDate: ownStamp(c.CommittedAt), Trailers: map[string]string{}, ExtendedTrailers: map[string][]string{},
		WebURL: a.urls.Commit(project, c.SHA),
	}
	if shape.ParentIDs == nil {
		shape.ParentIDs = []string{}
	}
	for _, t := range trailers(c.Message) {
		shape.Trailers[t[0]] = t[1]
		shape.ExtendedTrailers[t[0]] = append(shape.ExtendedTrailers[t[0]], t[1])
	}
	return shape
}

// Bounds of a title, in characters: one of 100 and more is cut at a word so that
// it has at most 81 with the dots.
const (
	longTitle = 100
	cutTitle  = 78
)

func shortTitle(title string) string {
	if utf8.RuneCountInString(title) < longTitle {
		return title
	}
	head := string([]rune(title)[:cutTitle])
	if i := strings.LastIndexByte(string([]rune(title)[:cutTitle+1]), ' '); i >= 0 {
		head = title[:i]
	}
	return head + "..."
}

var trailer = regexp.MustCompile(`^([A-Za-z0-9-]+):\s*(.*)$`)

// trailers reads the lines "Key: value" that make up the last paragraph of a
// message, which must have another one before it.
func trailers(message string) [][2]string {
	paragraphs := strings.Split(strings.TrimRight(message, "\n"), "\n\n")
	if len(paragraphs) < 2 {
		return nil
	}
	var found [][2]string
	for line := range strings.SplitSeq(paragraphs[len(paragraphs)-1], "\n") {
		parts := trailer.FindStringSubmatch(line)
		if parts == nil {
			return nil
		}
		found = append(found, [2]string{parts[1], strings.TrimSpace(parts[2])})
	}
	return found
}
