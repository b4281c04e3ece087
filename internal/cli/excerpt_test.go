package cli

import (
	"strings"
	"testing"
)

// TestExcerpt holds that the caret stands below its character, whatever is before it.
func TestExcerpt(t *testing.T) {
	long := strings.Repeat("0123456789", 20)
	for _, test := range []struct {
		line  string
		col   int
		width int
		want  string
	}{
		{"  scrip: y", 3, 80, "    7 |   scrip: y\n      |   ^\n"},
		{"a", 1, 80, "    7 | a\n      | ^\n"},
		{"", 1, 80, "    7 | \n      | ^\n"},
		{"abc", 9, 80, "    7 | abc\n      |    ^\n"},
		{"abc\r", 4, 80, "    7 | abc\n      |    ^\n"},
		{"\tx", 2, 80, "    7 |     x\n      |     ^\n"},
		{"a\tx", 3, 80, "    7 | a   x\n      |     ^\n"},
		{"日本 x", 4, 80, "    7 | 日本 x\n      |      ^\n"},
		{"e\u0301x", 3, 80, "    7 | e\u0301x\n      |  ^\n"},
		{"\U0001F600x", 2, 80, "    7 | \U0001F600x\n      |   ^\n"},
		{"a\x1b[2Jb\u202ec", 6, 80, "    7 | a\ufffd[2Jb\ufffdc\n      |      ^\n"},
		{long, 1, 28, "    7 | 012345678901234567…\n      | ^\n"},
		{long, 100, 28, "    7 | …123456789012345678…\n      |          ^\n"},
		{long, 200, 28, "    7 | …234567890123456789\n      |                   ^\n"},
		{strings.Repeat("日", 50), 25, 28, "    7 | …日日日日日日日日日…\n      |          ^\n"},
	} {
		if got := (excerpt{width: test.width}).of(7, test.line, test.col); got != test.want {
			t.Errorf("%.20q at %d: got\n%swant\n%s", test.line, test.col, got, test.want)
		}
	}
	if got := (excerpt{width: 80, color: true}).of(1, "a", 1); !strings.Contains(got, "\x1b[1;32m^\x1b[0m") {
		t.Errorf("got %q", got)
	}
}

// TestExcerptFits holds that no line is wider than the terminal and that the caret
// stands below the character it is for.
func TestExcerptFits(t *testing.T) {
	line := strings.Repeat("ab\t日é\u0301 ", 30)
	all := cells(line)
	for width := 28; width < 120; width += 7 {
		for col := 1; col <= len(all); col++ {
			text := (excerpt{width: width}).of(1, line, col)
			first, second, _ := strings.Cut(text, "\n")
			if got := measure(cells(first)); got > width {
				t.Fatalf("width %d, col %d: %d columns: %q", width, col, got, first)
			}
			at := strings.IndexByte(second, '^')
			column := 0
			for _, c := range cells(first) {
				if column == at && c.width > 0 {
					if want := all[col-1]; c.text[:1] != want.text[:1] && want.width > 0 && strings.TrimSpace(want.text) != "" {
						t.Fatalf("width %d, col %d: caret below %q, want %q", width, col, c.text, want.text)
					}
					break
				}
				column += c.width
			}
		}
	}
}
