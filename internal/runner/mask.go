package runner

import (
	"bytes"
	"slices"
)

// mark is what stands in the log in a secret's place.
const mark = "[MASKED]"

// defaultTokenPrefixes start GitLab's own tokens; a server that announces others replaces the list.
var defaultTokenPrefixes = []string{
	"glpat-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-", "gloas-", "glffct-",
}

// masker replaces secrets in a stream. What comes out depends on the text alone, not on how it was cut into
// writes: bytes that may be the start of a secret are held back until more is known or flush is called.
// Overlapping secrets give one mark, so that no tail of one is left over beside the other.
type masker struct {
	secrets [][]byte
	longest int
	hold    []byte // undecided end of the text so far, shorter than the longest secret
	covered int    // that many bytes at the start of hold belong to a mark that is already out
	tokens  tokenMasker
}

// newMasker takes the secrets in any order; empty ones are ignored. After one of the prefixes,
// whatever looks like the rest of a token is masked.
func newMasker(secrets, prefixes []string) *masker {
	m := &masker{tokens: newTokenMasker(prefixes)}
	for _, secret := range secrets {
		if secret != "" {
			m.secrets = append(m.secrets, []byte(secret))
			m.longest = max(m.longest, len(secret))
		}
	}
	slices.SortFunc(m.secrets, bytes.Compare)
	m.secrets = slices.CompactFunc(m.secrets, bytes.Equal)
	return m
}

// write appends to dst what is certain after p.
func (m *masker) write(dst, p []byte) []byte {
	return m.tokens.write(dst, m.resolve(p, false))
}

// flush appends to dst what was held back: the text ends here.
func (m *masker) flush(dst []byte) []byte {
	dst = m.tokens.write(dst, m.resolve(nil, true))
	return m.tokens.flush(dst)
}

// span is a stretch of the text that secrets cover; shown says that its mark is out already.
type span struct {
	start, end int
	shown      bool
}

func (m *masker) resolve(p []byte, last bool) []byte {
	text := append(m.hold, p...)
	cut := len(text)
	if !last {
		cut -= m.undecided(text)
	}
	out := make([]byte, 0, len(text))
	at, covered := 0, 0
	for _, s := range m.spans(text) {
		if s.start >= cut && !s.shown {
			break // complete, but found again with the next write, when its neighbours are known
		}
		if s.start > at {
			out = append(out, text[at:s.start]...)
		}
		if !s.shown {
			out = append(out, mark...)
		}
		at = s.end
		if s.end > cut {
			at, covered = cut, s.end-cut
		}
	}
	if at < cut {
		out = append(out, text[at:cut]...)
	}
	m.hold, m.covered = slices.Clone(text[cut:]), covered
	return out
}

// undecided is the length of the longest end of text that some secret begins with.
func (m *masker) undecided(text []byte) int {
	for n := min(m.longest-1, len(text)); n > 0; n-- {
		tail := text[len(text)-n:]
		for _, secret := range m.secrets {
			if len(secret) > n && bytes.HasPrefix(secret, tail) {
				return n
			}
		}
	}
	return 0
}

// spans finds every occurrence of every secret and joins those that overlap.
func (m *masker) spans(text []byte) []span {
	var found []span
	if m.covered > 0 {
		found = append(found, span{0, m.covered, true})
	}
	for _, secret := range m.secrets {
		for from := 0; ; {
			i := bytes.Index(text[from:], secret)
			if i < 0 {
				break
			}
			found = append(found, span{start: from + i, end: from + i + len(secret)})
			from += i + 1
		}
	}
	slices.SortStableFunc(found, func(a, b span) int { return a.start - b.start })
	joined := found[:0]
	for _, s := range found {
		if n := len(joined); n > 0 && s.start < joined[n-1].end {
			joined[n-1].end = max(joined[n-1].end, s.end)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// tokenMasker masks what follows a token prefix, up to the first byte that no token contains; the prefix stays readable.
type tokenMasker struct {
	prefixes [][]byte
	first    [256]bool // bytes that a prefix starts with
	hold     []byte    // start of a prefix, perhaps
	inside   bool      // right after a prefix
	shown    bool      // the mark for this token is out
}

func newTokenMasker(prefixes []string) tokenMasker {
	var t tokenMasker
	for _, p := range prefixes {
		if p != "" {
			t.prefixes = append(t.prefixes, []byte(p))
			t.first[p[0]] = true
		}
	}
	return t
}

func (t *tokenMasker) write(dst, p []byte) []byte {
	for i := 0; i < len(p); {
		switch {
		case t.inside && tokenByte[p[i]]:
			if !t.shown {
				dst = append(dst, mark...)
			}
			t.shown = true
			i++
		case t.inside:
			t.inside, t.shown = false, false
		case len(t.hold) == 0 && !t.first[p[i]]:
			plain := i + 1 // most of any log goes this way, in long pieces
			for plain < len(p) && !t.first[p[plain]] {
				plain++
			}
			dst = append(dst, p[i:plain]...)
			i = plain
		default:
			dst = t.consider(dst, p[i])
			i++
		}
	}
	return dst
}

// consider adds a byte to what may be the start of a prefix.
func (t *tokenMasker) consider(dst []byte, b byte) []byte {
	t.hold = append(t.hold, b)
	for _, p := range t.prefixes {
		if bytes.HasSuffix(t.hold, p) {
			dst = append(dst, t.hold...)
			t.hold, t.inside = t.hold[:0], true
			return dst
		}
	}
	for len(t.hold) > 0 && !t.possible() {
		dst = append(dst, t.hold[0])
		t.hold = t.hold[:copy(t.hold, t.hold[1:])]
	}
	return dst
}

// possible reports whether hold is the start of a prefix.
func (t *tokenMasker) possible() bool {
	for _, p := range t.prefixes {
		if bytes.HasPrefix(p, t.hold) {
			return true
		}
	}
	return false
}

func (t *tokenMasker) flush(dst []byte) []byte {
	dst = append(dst, t.hold...)
	t.hold, t.inside, t.shown = nil, false, false
	return dst
}

// tokenByte tells which bytes tokens consist of.
var tokenByte = func() (is [256]bool) {
	for _, b := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.=") {
		is[b] = true
	}
	return is
}()
