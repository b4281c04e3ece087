package trace

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// naive masks a text as a whole, the slow and obvious way.
func naive(text string, secrets []string) string {
	hidden := []byte(text)
	for i := range text {
		for _, s := range secrets {
			if s != "" && strings.HasPrefix(text[i:], s) {
				copy(hidden[i:], strings.Repeat("x", len(s)))
			}
		}
	}
	return string(hidden)
}

// Two letters make secrets overlap themselves and each other all the time.
var someSecret = rapid.StringMatching(`(ab|a|b|aab){0,6}`)

// drawText gives a text of secrets, parts of them and other bytes.
func drawText(t *rapid.T, secrets []string) string {
	part := rapid.Custom(func(t *rapid.T) string {
		s := rapid.SampledFrom(append([]string{"a", "b", "\n"}, secrets...)).Draw(t, "of")
		from := rapid.IntRange(0, len(s)).Draw(t, "from")
		return s[from:rapid.IntRange(from, len(s)).Draw(t, "to")]
	})
	whole := append([]string{"a", "\n"}, secrets...)
	parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(whole), part), 0, 16).Draw(t, "text")
	return strings.Join(parts, "")
}

func TestMask(t *testing.T) {
	for _, test := range []struct {
		secrets    []string
		text, want string
	}{
		{nil, "nothing to hide", "nothing to hide"},
		{[]string{""}, "nothing to hide", "nothing to hide"},
		{[]string{"key"}, "key, monkey, KEY", "xxx, monxxx, KEY"},
		{[]string{"aa"}, "aaaaa b", "xxxxx b"},
		{[]string{"aba"}, "ababa ab", "xxxxx ab"},
		{[]string{"aabaa"}, "aabaaabaa", "xxxxxxxxx"},                // overlap of one byte
		{[]string{"aabaa"}, "aabaabaaabaa-", "xxxxxxxxxxxx-"},        // of two, then of one
		{[]string{"abc", "bcd"}, "abcd", "xxxx"},                     // two secrets
		{[]string{"abcdef", "cd"}, "abcdeg abcdef", "abxxeg xxxxxx"}, // one in the other
		{[]string{"é", "\n\n"}, "caf\u00e9\n\n", "cafxxxx"},          // bytes, not letters
	} {
		text, hidden, rest := newMask(test.secrets).push(held{}, []byte(test.text))
		if got := string(hidden) + string(rest.hidden); got != test.want {
			t.Errorf("%q without %q: got %q, want %q", test.text, test.secrets, got, test.want)
		}
		if got := string(text) + string(rest.text); got != test.text {
			t.Errorf("%q as sent: got %q", test.text, got)
		}
	}
}

func TestMaskDoesNotDependOnBorders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(someSecret, 0, 4).Draw(t, "secrets")
		text := drawText(t, secrets)
		m := newMask(secrets)
		var sent, shown bytes.Buffer
		var rest held
		longest := 0
		for _, s := range secrets {
			longest = max(longest, len(s)-1)
		}
		for left := text; left != ""; {
			n := rapid.IntRange(1, len(left)).Draw(t, "piece")
			var a, b []byte
			a, b, rest = m.push(rest, []byte(left[:n]))
			sent.Write(a)
			shown.Write(b)
			left = left[n:]
			if len(rest.text) > longest {
				t.Fatalf("%q held back, more than the beginning of a secret", rest.text)
			}
			// What is certain now is what masking the whole shows.
			if got, want := shown.String(), naive(text, secrets)[:shown.Len()]; got != want {
				t.Fatalf("shown early: got %q, want %q", got, want)
			}
		}
		sent.Write(rest.text)
		shown.Write(rest.hidden)
		if got := sent.String(); got != text {
			t.Fatalf("as sent: got %q, want %q", got, text)
		}
		if got, want := shown.String(), naive(text, secrets); got != want {
			t.Fatalf("as shown: got %q, want %q", got, want)
		}
	})
}

// A runner that cuts its log anywhere, meets crashes of the server, and asks where
// to go on: the log is what it would have been in one piece.
func TestAnySplitGivesTheSameLog(t *testing.T) {
	c := config(t)
	c.TailBytes = 16
	logs := open(t, c)
	job := int64(0)
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		job++
		secrets := rapid.SliceOfN(someSecret, 0, 3).Draw(t, "secrets")
		text := drawText(t, secrets)
		for at := 0; at < len(text); {
			n := rapid.IntRange(1, len(text)-at).Draw(t, "piece")
			length, err := logs.Append(ctx, job, int64(at), []byte(text[at:at+n]), secrets)
			if err != nil || length != int64(at+n) {
				t.Fatalf("append at %d: got %d, %v, want %d", at, length, err, at+n)
			}
			at += n
			if rapid.IntRange(0, 4).Draw(t, "crash") == 0 {
				delete(logs.states, job)
				stored, err := logs.Stored(ctx, job)
				if err != nil || stored > int64(at) {
					t.Fatalf("after a crash at %d: got %d, %v", at, stored, err)
				}
				at = int(stored)
			}
			checkShown(t, logs, job, naive(text, secrets))
		}
		if ok, err := logs.Finish(ctx, job, crcOf(text), int64(len(text))); err != nil || !ok {
			t.Fatalf("finish: got %v, %v", ok, err)
		}
		if got, want := checkShown(t, logs, job, naive(text, secrets)), int64(len(text)); got != want {
			t.Fatalf("finished: got %d bytes, want %d", got, want)
		}
	})
}

// checkShown compares what can be read with the beginning of want, from a random
// offset on, and finds a random line. It returns the size.
func checkShown(t *rapid.T, logs *Traces, job int64, want string) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	info, err := logs.Stat(ctx, job)
	if err != nil || info.Size > int64(len(want)) {
		t.Fatalf("stat: got %+v, %v", info, err)
	}
	shown := want[:info.Size]
	offset := rapid.IntRange(0, len(shown)).Draw(t, "offset")
	var got bytes.Buffer
	r, err := logs.Read(ctx, job, int64(offset), -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := got.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if got.String() != shown[offset:] {
		t.Fatalf("from %d: got %q, want %q", offset, got.String(), shown[offset:])
	}
	if got, want := info.Lines, int64(strings.Count(shown, "\n")); got != want {
		t.Fatalf("lines: got %d, want %d", got, want)
	}
	line := rapid.IntRange(0, int(info.Lines)+1).Draw(t, "line")
	at, err := logs.Line(ctx, job, int64(line))
	if err != nil {
		t.Fatal(err)
	}
	if want := lineStart(shown, line); at != want {
		t.Fatalf("line %d: got offset %d, want %d", line, at, want)
	}
	return info.Size
}

// lineStart is the offset of a line, the slow and obvious way.
func lineStart(text string, line int) int64 {
	offset := 0
	for range line {
		i := strings.IndexByte(text[offset:], '\n')
		if i < 0 {
			return int64(len(text))
		}
		offset += i + 1
	}
	return int64(offset)
}
