package web

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// A problemPage says what went wrong, in the frame of every page.
type problemPage struct {
	shell
	Status    int
	Heading   string
	Text      string
	Hint      string
	RequestID string
	SignedOut bool // signing in might help
}

// problem answers an error as a page.
func (v *visit) problem(p wire.Problem) error {
	setHeaders(v.w.Header()) // an error takes back what the page had set
	page := problemPage{Status: p.Status, Hint: p.Hint, RequestID: wire.RequestID(v.ctx())}
	page.Heading, page.Text = explain(p)
	page.shell = v.shell(page.Heading)
	page.SignedOut = v.caller.Anonymous() && (p.Status == http.StatusNotFound || p.Status == http.StatusForbidden)
	v.w.Header().Set("Cache-Control", "no-store")
	return v.show(p.Status, "problem", page)
}

// explain says what a status means to somebody who looks at a page.
func explain(p wire.Problem) (heading, text string) {
	text = plainMessage(p)
	switch p.Status {
	case http.StatusNotFound:
		return "Not found", "There is nothing at this address, or you may not see it."
	case http.StatusForbidden:
		if text == "" {
			text = "You may not do this here."
		}
		return "Not allowed", text
	case http.StatusMethodNotAllowed:
		return "Not like this", "This address does not take that kind of request."
	case http.StatusConflict:
		return "Somebody was faster", "This changed while you looked at it. Go back, reload the page and try again."
	case http.StatusTooManyRequests:
		return "Too many requests", "Try again in " + number(max(int(p.RetryAfter.Seconds()), 1)) + " seconds."
	case http.StatusServiceUnavailable:
		return "Try again", "The server cannot do this right now. Try again in a moment."
	case http.StatusInternalServerError:
		return "Something went wrong", "This is a fault of the server, not yours. What you see elsewhere still holds."
	}
	if text == "" {
		text = http.StatusText(p.Status)
	}
	return "This did not work", text
}

// plainMessage is the message of a problem without the numbers that clients of the
// API see.
func plainMessage(p wire.Problem) string {
	var texts []string
	for _, field := range slices.Sorted(maps.Keys(p.Fields)) {
		for _, text := range p.Fields[field] {
			if field != "base" {
				text = field + " " + text
			}
			texts = append(texts, text)
		}
	}
	if len(texts) > 0 {
		return strings.Join(texts, "; ")
	}
	text := strings.TrimPrefix(p.Message, number(p.Status)+" ")
	for _, standard := range []string{"Bad request", http.StatusText(p.Status)} {
		if rest, ok := strings.CutPrefix(text, standard); ok {
			return strings.TrimPrefix(rest, " - ")
		}
	}
	return text
}

// messageOf is the text of a refusal, empty for any other error.
func messageOf(err error) string {
	var refusal *ci.Error
	if !errors.As(err, &refusal) {
		return ""
	}
	return plainMessage(wire.Explain(refusal))
}
