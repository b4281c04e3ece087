package runner

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func maskAll(secrets, prefixes []string, parts ...string) string {
	m := newMasker(secrets, prefixes)
	var out []byte
	for _, part := range parts {
		out = m.write(out, []byte(part))
	}
	return string(m.flush(out))
}

func TestMask(t *testing.T) {
	prefixes := []string{"glpat-", "gl"}
	for _, c := range []struct {
		secrets  []string
		in, want string
	}{
		{[]string{"s3cr3t"}, "is s3cr3t.", "is [MASKED]."},
		{[]string{"s3cr3t"}, "s3cr3s3cr3t", "s3cr3[MASKED]"},
		{[]string{"abc", "bcd"}, "xabcdy", "x[MASKED]y"},                             // overlapping: no tail of the second is left
		{[]string{"abc", "abcdef"}, "abcdef abcd", "[MASKED] [MASKED]d"},             // one the start of the other
		{[]string{"aa"}, "aaaaa b", "[MASKED] b"},                                    // overlapping itself
		{[]string{"abc", "def"}, "abcdef", "[MASKED][MASKED]"},                       // side by side
		{[]string{"", "line1\nline2"}, "line1\nline2\nline1\n", "[MASKED]\nline1\n"}, // empty ones do not count
		{nil, "nothing at all", "nothing at all"},
		{nil, "t=glpat-Ab_c.1=-x; end", "t=glpat-[MASKED]; end"},
		{nil, "glpat- and glpa", "glpat- and glpa"},
		{[]string{"tok12345"}, "glpat-tok12345 x", "glpat-[MASKED] x"},
		{[]string{"glpat-whole"}, "a glpat-whole b", "a [MASKED] b"},
		{nil, "gglpat-1 glglpat-2", "gglpat-[MASKED] glglpat-[MASKED]"},
	} {
		list := prefixes[:1]
		if got := maskAll(c.secrets, list, c.in); got != c.want {
			t.Errorf("%q without %q: got %q, want %q", c.in, c.secrets, got, c.want)
		}
	}
	if got, want := maskAll(nil, prefixes, "glpat-1 gl"), "gl[MASKED] gl"; got != want {
		t.Errorf("shorter prefix: got %q, want %q", got, want)
	}
}

// A byte that the end of one secret and the start of another share stays masked when
// the writes that follow tell nothing about it yet.
func TestMaskSharedByte(t *testing.T) {
	secrets := []string{"-b", "baa"}
	for _, parts := range [][]string{{"-b"}, {"-b", ""}, {"-", "b", ""}} {
		if got := maskAll(secrets, nil, parts...); got != mark {
			t.Errorf("%q: got %q, want %q", parts, got, mark)
		}
	}
	if got, want := maskAll(secrets, nil, "-b", "a", "x"), mark+"ax"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What comes out does not depend on where the stream was cut, and no secret is in it.
func TestMaskAnySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.StringOfN(rapid.SampledFrom([]rune("abg-")), 1, 5, -1)
		secrets := rapid.SliceOfN(few, 0, 4).Draw(t, "secrets")
		prefixes := rapid.SliceOfN(few, 0, 2).Draw(t, "prefixes")
		text := rapid.StringOfN(rapid.SampledFrom([]rune("abg- \n")), 0, 60, -1).Draw(t, "text")
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(text)), 0, 8).Draw(t, "cuts")

		want := maskAll(secrets, prefixes, text)
		m := newMasker(secrets, prefixes)
		var got []byte
		at := 0
		for _, cut := range cuts {
			if cut > at {
				got = m.write(got, []byte(text[at:cut]))
				at = cut
			}
			if len(m.hold) > m.longest {
				t.Fatalf("%d bytes held back for secrets of at most %d", len(m.hold), m.longest)
			}
		}
		got = m.flush(m.write(got, []byte(text[at:])))
		if string(got) != want {
			t.Fatalf("got %q, want %q as in one piece", got, want)
		}
		for _, secret := range secrets {
			if strings.Contains(strings.ReplaceAll(string(got), mark, "\x00"), secret) {
				t.Fatalf("secret %q is left in %q", secret, got)
			}
		}
		if len(secrets) == 0 && len(prefixes) == 0 && string(got) != text {
			t.Fatalf("got %q, want the text as it was: %q", got, text)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	var secrets []string
	for _, c := range "abcdefghij" {
		secrets = append(secrets, strings.Repeat(string(c), 8)+"-secret-value")
	}
	chunk := bytes.Repeat([]byte("compile internal/runner/mask.go: 17 warnings, a few gaps and commas\n"), 480)
	m := newMasker(secrets, defaultTokenPrefixes)
	out := make([]byte, 0, 2*len(chunk))
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		out = m.write(out[:0], chunk)
	}
}
