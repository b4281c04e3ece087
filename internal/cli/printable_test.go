package cli

import (
	"strings"
	"testing"
	"unicode"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "a b\tc", "a b\tc"},
		{"other languages", "¡Hola, 世界! é", "¡Hola, 世界! é"},
		{"colours", "\x1b[32;1m$ make\x1b[0;m", "$ make"},
		{"section", "\x1b[0Ksection_start:1700000000:get_sources[collapsed=true]\r\x1b[0KGetting source", "Getting source"},
		{"section's end", "\x1b[0Ksection_end:1700000000:get_sources\r\x1b[0K", ""},
		{"progress", "10%\r20%\r100% done", "100% done"},
		{"line end of others", "text\r\n", "text"},
		{"window title", "\x1b]0;title\x07text", "text"},
		{"hyperlink", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
		{"unfinished string", "\x1b]0;title", ""},
		{"charset", "\x1b(Btext\x1b7", "text"},
		{"lone escape", "a\x1b", "a"},
		{"C0", "a\x00b\x07c\x08d\x7f", "abcd"},
		{"C1", "a\u009b31mb\u0085c", "a31mbc"},
		{"bytes that are no text", "a\xffb\x9bc", "abc"},
		{"text that is written backwards", "a\u202eb\u2066c", "abc"},
		{"trailing blanks", "a \t ", "a"},
	} {
		if got := printable(test.in); got != test.want {
			t.Errorf("%s: printable(%q) = %q, want %q", test.name, test.in, got, test.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"\x1b[31mred", "section_start:1:x\r", "\x1b]0;t\x07", "\u009b2J", "a\rb", "\x1b\x1b[[m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := printable(line)
		if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
			t.Errorf("printable(%q) = %q has a control character", line, got)
		}
		if again := printable(got); again != got {
			t.Errorf("printable(%q) = %q, and once more %q", line, got, again)
		}
	})
}
