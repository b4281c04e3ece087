package git

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// A Commit is what one commit object says. Text that is not UTF-8 has its foreign
// bytes replaced.
type Commit struct {
	SHA     string
	Parents []string // first parent first; empty for a root commit
	Tree    string

	Title   string // the first line of Message, whole; GitLab's API shortens it from 100 characters
	Message string // as stored, usually ending in a line feed

	AuthorName     string
	AuthorEmail    string
	AuthoredAt     time.Time // in the author's own zone
	CommitterName  string
	CommitterEmail string
	CommittedAt    time.Time // in the committer's own zone
}

// A Tag is what one tag says. A lightweight tag is a name for a commit and has
// neither message nor tagger.
type Tag struct {
	Name   string // without refs/tags/
	SHA    string // of the tag object; of the commit for a lightweight tag
	Commit string // what it finally points at; empty when that is not a commit

	Annotated   bool
	Message     string
	TaggerName  string
	TaggerEmail string
	TaggedAt    time.Time // in the tagger's own zone
}

// eachHeader calls f for every header line of a commit or tag object and returns the
// message. Continued lines, as signatures have, are left out.
func eachHeader(raw []byte, f func(key, value string)) (message string) {
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	for line := range strings.SplitSeq(string(head), "\n") {
		if strings.HasPrefix(line, " ") {
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		f(key, value)
	}
	return string(body)
}

func parseCommit(sha string, raw []byte) Commit {
	c := Commit{SHA: sha}
	var encoding string
	message := eachHeader(raw, func(key, value string) {
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.AuthorName, c.AuthorEmail, c.AuthoredAt = parseSignature(value)
		case "committer":
			c.CommitterName, c.CommitterEmail, c.CommittedAt = parseSignature(value)
		case "encoding":
			encoding = strings.ToLower(value)
		}
	})
	latin1 := encoding == "iso-8859-1" || encoding == "iso8859-1" || encoding == "latin1" || encoding == "latin-1"
	for _, text := range []*string{&message, &c.AuthorName, &c.AuthorEmail, &c.CommitterName, &c.CommitterEmail} {
		*text = toUTF8(*text, latin1)
	}
	c.Message = message
	title, _, _ := strings.Cut(message, "\n")
	c.Title = strings.TrimRight(title, "\r")
	return c
}

func parseTag(t Tag, raw []byte) Tag {
	t.Annotated = true
	message := eachHeader(raw, func(key, value string) {
		if key == "tagger" {
			t.TaggerName, t.TaggerEmail, t.TaggedAt = parseSignature(value)
		}
	})
	// A signature is stored behind the message, as text.
	for _, mark := range []string{"-----BEGIN PGP SIGNATURE-----", "-----BEGIN SSH SIGNATURE-----", "-----BEGIN SIGNED MESSAGE-----"} {
		if i := strings.Index("\n"+message, "\n"+mark); i >= 0 {
			message = message[:i]
		}
	}
	t.Message = toUTF8(message, false)
	t.TaggerName, t.TaggerEmail = toUTF8(t.TaggerName, false), toUTF8(t.TaggerEmail, false)
	return t
}

// parseSignature reads "Name <email> 1700000000 +0100". Old and broken commits hold
// anything there; what cannot be read stays zero.
func parseSignature(s string) (name, email string, at time.Time) {
	end := strings.LastIndexByte(s, '>')
	if end < 0 {
		return strings.TrimSpace(s), "", time.Unix(0, 0).UTC()
	}
	name, email, _ = strings.Cut(s[:end], "<")
	seconds, zone, _ := strings.Cut(strings.TrimSpace(s[end+1:]), " ")
	return strings.TrimSpace(name), strings.TrimSpace(email), parseTime(seconds, zone)
}

// The span that the JSON and SQL forms of a time can hold: years 0 to 9999.
const (
	earliest = -62167219200 + 86400
	latest   = 253402300799 - 86400
)

func parseTime(seconds, zone string) time.Time {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		n = 0
	}
	at := time.Unix(min(max(n, earliest), latest), 0)
	offset, err := strconv.Atoi(zone)
	if err != nil || len(zone) != 5 {
		return at.UTC()
	}
	hours, minutes := offset/100, offset%100 // both carry the sign
	if hours <= -24 || hours >= 24 || minutes <= -60 || minutes >= 60 {
		return at.UTC()
	}
	if offset == 0 {
		return at.UTC()
	}
	return at.In(time.FixedZone("", hours*3600+minutes*60))
}

func toUTF8(s string, latin1 bool) string {
	if !latin1 {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// signature is the other direction of parseSignature. Characters that would end a
// field are dropped; git refuses an empty name, so the address stands in.
func signature(name, email string, at time.Time) string {
	clean := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if r < ' ' || r == '<' || r == '>' || r == 0x7f {
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, "\uFFFD"))
		return strings.Trim(s, " .,:;\"\\'")
	}
	name, email = clean(name), clean(email)
	if name == "" {
		name = email
	}
	if name == "" {
		name = "unknown"
	}
	return name + " <" + email + "> " + strconv.FormatInt(max(at.Unix(), 0), 10) + " " + at.Format("-0700")
}
