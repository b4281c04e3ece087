package githttp

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/git"
)

// Limits of what is kept of git's answer to a push.
const (
	maxReport = 4 << 20 // a line for each ref
	maxPacket = 65520   // in git's pkt-line format, its length included
)

// An answer passes on what git says about a push while it says it, except for the
// packet that ends it: what became of the push is said before that. It remembers
// git's report, which refs have changed.
//
// A client that takes no side band gets git's answer as it is.
type answer struct {
	w        io.Writer
	sideband bool
	part     []byte // of a packet that is not complete yet
	report   []byte
	ended    bool // git has sent the last packet
}

func newAnswer(w io.Writer, head git.PushHead) *answer {
	return &answer{w: w, sideband: slices.Contains(head.Capabilities, "side-band-64k")}
}

// Write takes a piece of git's answer.
func (a *answer) Write(p []byte) (int, error) {
	if !a.sideband {
		a.keep(p)
		return a.w.Write(p)
	}
	a.part = append(a.part, p...)
	whole := 0
	for !a.ended {
		n, err := packetLength(a.part[whole:])
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
		packet := a.part[whole : whole+n]
		if n == 4 {
			a.ended = true
			break
		}
		if packet[4] == 1 {
			a.keep(packet[5:])
		}
		whole += n
	}
	if whole > 0 {
		if _, err := a.w.Write(a.part[:whole]); err != nil {
			return 0, err
		}
		a.part = append(a.part[:0], a.part[whole:]...)
	}
	return len(p), nil
}

// packetLength is the length of the packet that b begins with, 4 for the one that
// ends an answer, 0 while b is too short to hold all of it.
func packetLength(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	switch {
	case err != nil || n > maxPacket || n > 0 && n < 5:
		return 0, fmt.Errorf("read answer of git: packet length %q", b[:4])
	case n == 0:
		return 4, nil
	case len(b) < int(n):
		return 0, nil
	}
	return int(n), nil
}

func (a *answer) keep(p []byte) {
	if len(a.report)+len(p) <= maxReport {
		a.report = append(a.report, p...)
	}
}

// accepted are the refs of which git reports that it has changed them.
func (a *answer) accepted() map[string]bool {
	refs := map[string]bool{}
	for rest := a.report; ; {
		n, err := packetLength(rest)
		if err != nil || n < 5 {
			return refs
		}
		if ref, ok := strings.CutPrefix(strings.TrimSuffix(string(rest[4:n]), "\n"), "ok "); ok {
			refs[ref] = true
		}
		rest = rest[n:]
	}
}

// finish says something to the user, if the client can show it, and ends the answer.
func (a *answer) finish(messages []string) error {
	for _, message := range messages {
		if !a.ended { // no side band, or git broke off
			break
		}
		for chunk := range slices.Chunk([]byte(message+"\n"), maxPacket-5) {
			if _, err := fmt.Fprintf(a.w, "%04x\x02%s", len(chunk)+5, chunk); err != nil {
				return err
			}
		}
	}
	if len(a.part) == 0 {
		return nil
	}
	_, err := a.w.Write(a.part)
	return err
}
