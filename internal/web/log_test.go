package web

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSpans(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"plain", "hello", "hello"},
		{"colour", "a\x1b[31mred\x1b[0mb", "a|f1:red|b"},
		{"bright and bold", "\x1b[1;92mok", "b f10:ok"},
		{"background", "\x1b[37;41mx\x1b[49my", "f7 g1:x|f7:y"},
		{"256 colours", "\x1b[38;5;196mx\x1b[48;5;240my\x1b[38;5;3mz", "f9:x|f9 g8:y|f3 g8:z"},
		{"true colour", "\x1b[38;2;0;128;0mx\x1b[38;2;10;10;10my", "f2:x|f0:y"},
		{"with colons", "\x1b[38:5:4mx", "f4:x"},
		{"all flags", "\x1b[2;3;4;7;9mx\x1b[22;23;24;27;29my", "d i u x r:x|y"},
		{"empty reset", "\x1b[1mx\x1b[my", "b:x|y"},
		{"runner's reset", "\x1b[32;1mx\x1b[0;my", "b f2:x|y"},
		{"other sequences", "\x1b[0K\x1b[2J\x1b[?25lx\x1b[5;5Hy\x1b(Bz", "xyz"},
		{"title", "a\x1b]0;evil\x07b", "ab"},
		{"link", "\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"device string", "a\x1bPevil\x1b\\b", "ab"},
		{"cut", "a\x1b[3", "a"},
		{"cut title", "a\x1b]0;evil", "a"},
		{"lone escape", "a\x1b", "a"},
		{"sequence that is none", "\x1b[31\x01mx", "mx"},
		{"controls", "a\x00\x08b\x7fc\td", "abc\td"},
		{"C1 and direction", "a\u0085\u009bb\u202ec\u2066d\u2028", "abcd"},
		{"not UTF-8", "a\xff\xfeb", "a\ufffd\ufffdb"},
		{"markup", "<b>&amp;</b>", "<b>&amp;</b>"},
		{"nonsense numbers", "\x1b[999999999999999999999mx\x1b[38;5mz\x1b[38my", "x|f0:z|y"},
	} {
		var s style
		var parts []string
		for _, p := range s.spans(test.line) {
			if p.Class != "" {
				p.Text = p.Class + ":" + p.Text
			}
			parts = append(parts, p.Text)
		}
		if got := strings.Join(parts, "|"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// written is how rows look to a reader of a test.
func written(rows []logRow) string {
	var words []string
	for _, r := range rows {
		text := ""
		for _, s := range r.Spans {
			text += s.Text
		}
		word := fmt.Sprintf("%d%s%s", r.Number, strings.Repeat(">", r.Depth), text)
		if r.Section {
			word += " [" + r.Took + "]"
		}
		words = append(words, word)
	}
	return strings.Join(words, "\n")
}

func TestRows(t *testing.T) {
	const mark = "\r\x1b[0K"
	for _, test := range []struct{ name, log, want string }{
		{"lines", "a\nb\n\nc", "1a\n2b\n3\n4c"},
		{"reset at the end", "a\n\x1b[0;m", "1a"},
		{"windows", "a\r\nb\r\n", "1a\n2b"},
		{"progress", "10%\r20%\r30%\ndone\r\n", "130%\n2done"},
		{
			"sections", "section_start:10:one" + mark + "head\nin\nsection_end:15:one" + mark + "section_start:16:two" + mark + "next\nin\nsection_end:90:two" + mark + "\nout\n",
			"1head [5 s]\n2>in\n3next [1 min 14 s]\n4>in\n6out",
		},
		{
			"nested", "section_start:1:a" + mark + "A\nsection_start:2:b" + mark + "B\nx\nsection_end:3:b" + mark + "\ny\nsection_end:4:a" + mark + "\nz",
			"1A [3 s]\n2>B [1 s]\n3>>x\n5>y\n7z",
		},
		{"never closed", "section_start:1:a" + mark + "A\nx", "1A []\n2>x"},
		{"inner one forgotten", "section_start:1:a" + mark + "A\nsection_start:2:b" + mark + "B\nsection_end:3:a" + mark + "\nx", "1A [2 s]\n2>B []\n4x"},
		{"closed without a start", "section_end:3:a" + mark + "\nx", "2x"},
		{"no head", "section_start:1:a" + mark + "\nx", "1 []\n2>x"},
		{"not a marker", "section_start:1:a b\nsection_start:x:a" + mark + "y", "1section_start:1:a b\n2y"},
		{"text before a marker", "tail\x1b[0msection_start:1:a" + mark + "A\nx", "1tailA []\n2>x"},
		{
			"stamps", "2026-01-02T03:04:05.123456Z 00O hello\n2026-01-02T03:04:05.223456Z 01E+more\n2026-01-02T03:04:05.223456Z 00O section_start:1:a" + mark + "A\n",
			"1hello\n2more\n3A []",
		},
	} {
		c := logCursor{Line: 1}
		rows, _ := c.rows([]byte(test.log))
		if got := written(rows); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
	c := logCursor{Line: 1}
	rows, _ := c.rows([]byte("2026-01-02T03:04:05.123456Z 00O hello\n"))
	if rows[0].Time != "2026-01-02T03:04:05.123456Z" {
		t.Errorf("got time %q", rows[0].Time)
	}
}

func TestLongLines(t *testing.T) {
	c := logCursor{Line: 1}
	long := strings.Repeat("x", maxLine+1)
	rows, _ := c.rows([]byte("short\n" + long))
	if len(rows) != 2 || len(rows[1].Spans) != 2 || !c.Skipping || c.Offset != int64(6+len(long)) || c.Line != 2 {
		t.Fatalf("got %d rows, cursor %+v", len(rows), c)
	}
	rows, _ = c.rows([]byte(long + long + "\nnext\n"))
	if got := written(rows); got != "3next" || c.Skipping {
		t.Errorf("got %s, cursor %+v", got, c)
	}
	c = logCursor{Line: 1}
	if rows, _ = c.rows([]byte(long + "\n")); len(rows) != 1 || c.Line != 2 {
		t.Errorf("a whole long line: got %d rows, cursor %+v", len(rows), c)
	}
	deep := logCursor{Line: 1}
	for i := range 100 {
		deep.rows(fmt.Appendf(nil, "section_start:1:s%d%s\r\n", i, strings.Repeat("n", 80)))
	}
	if _, err := parseCursor(deep.text()); err != nil {
		t.Errorf("the cursor of a log with many sections: %v", err)
	}
}

// TestAnySplit holds that a log which comes in pieces looks in the end as one that
// comes at once, also over a cursor that a browser carried.
func TestAnySplit(t *testing.T) {
	log := "plain\n\x1b[31mred\nstill red\x1b[0m\nsection_start:1:a\r\x1b[0KHead\nprogress 1\rprogress 2\nsection_end:9:a\r\x1b[0Ksection_start:9:b\r\x1b[0K\x1b[1mB\nüml\n\nsection_end:12:b\r\x1b[0K\nend"
	whole := &logCursor{Line: 1}
	want, _ := whole.rows([]byte(log))
	for size := 1; size <= len(log); size++ {
		cursor, shown := &logCursor{Line: 1}, map[int64]logRow{}
		for end := size; ; end = min(end+size, len(log)) {
			rows, ends := cursor.rows([]byte(log)[cursor.Offset:end])
			for _, r := range rows {
				shown[r.Number] = r
			}
			for _, e := range ends {
				r := shown[e.Number]
				r.Took = e.Took
				shown[e.Number] = r
			}
			var err error
			if cursor, err = parseCursor(cursor.text()); err != nil {
				t.Fatal(err)
			}
			if end == len(log) {
				break
			}
		}
		for _, r := range want {
			if got := shown[r.Number]; !reflect.DeepEqual(got, r) {
				t.Fatalf("pieces of %d: got %+v, want %+v", size, got, r)
			}
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte("section_start:1:a\r\x1b[0KHead\n\x1b[31mred\x1b]8;;x\x07\nsection_end:9:a\r\x1b[0K\nend"), 3)
	f.Add([]byte("\x1b[38;5;\x1b[48;2;1m\xff\u202e\r\r\n2026-01-02T03:04:05.1Z 00O+x"), 7)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		cursor := &logCursor{Line: 1}
		size = max(size, 1)
		for at := 0; at < len(data); {
			end := min(at+size, len(data))
			rows, _ := cursor.rows(data[cursor.Offset:end])
			at = end
			for _, r := range rows {
				if r.Depth < 0 || r.Depth > maxSections || r.Number < 1 {
					t.Fatalf("row %+v", r)
				}
				for _, s := range r.Spans {
					if strings.Trim(s.Class, "abcdefghijklmnopqrstuvwxyz0123456789 ") != "" || !utf8.ValidString(s.Text) ||
						strings.ContainsFunc(s.Text, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
						t.Fatalf("span %+q", s)
					}
				}
			}
			if cursor.Offset > int64(end) {
				t.Fatalf("the cursor is at %d of %d", cursor.Offset, end)
			}
			if _, err := parseCursor(cursor.text()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkRows(b *testing.B) {
	line := "\x1b[32m$ go test ./...\x1b[0m some text of a usual length, with a path /builds/acme/app/main.go:17\n"
	data := []byte(strings.Repeat(line, 1000))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		c := logCursor{Line: 1}
		c.rows(data)
	}
}
