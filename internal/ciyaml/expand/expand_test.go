package expand

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var values = map[string]string{
	"A": "1", "B_2": "two", "EMPTY": "", "REF": "$A", "_x": "under", "LONG": strings.Repeat("x", 1<<16),
}

func lookup(name string) (string, bool) {
	v, ok := values[name]
	return v, ok
}

func TestExpand(t *testing.T) {
	for _, c := range []struct{ src, all, existing string }{
		{"", "", ""},
		{"plain", "plain", "plain"},
		{"$A", "1", "1"},
		{"${A}", "1", "1"},
		{"%A%", "1", "1"},
		{"x$A-${B_2}.%_x%y", "x1-two.undery", "x1-two.undery"},
		{"$A$B_2", "1two", "1two"},
		{"$AB", "", "$AB"},
		{"$UNDEF/${UNDEF}/%UNDEF%", "//", "$UNDEF/${UNDEF}/%UNDEF%"},
		{"[$EMPTY]", "[]", "[]"},
		{"$REF", "$A", "$A"},
		{"$$A", "$$A", "$$A"},
		{"$$$A", "$$1", "$$1"},
		{"$$$$A", "$$$$A", "$$$$A"},
		{"%%A%", "%%A%", "%%A%"},
		{"%%A%%", "%%A%%", "%%A%%"},
		{"100%", "100%", "100%"},
		{"100% of $A", "100% of 1", "100% of 1"},
		{"%A", "%A", "%A"},
		{"%A $A%", "%A 1%", "%A 1%"},
		{"50%A%", "501", "501"},
		{"$", "$", "$"},
		{"$1", "$1", "$1"},
		{"$-A", "$-A", "$-A"},
		{"${}", "${}", "${}"},
		{"${A", "${A", "${A"},
		{"${A B}", "${A B}", "${A B}"},
		{"${1A}", "${1A}", "${1A}"},
		{"${$A}", "${1}", "${1}"},
		{"é$Aé", "é1é", "é1é"},
		{"$[[ inputs.x ]]", "$[[ inputs.x ]]", "$[[ inputs.x ]]"},
	} {
		if got := All(c.src, lookup); got != c.all {
			t.Errorf("All(%q): got %q, want %q", c.src, got, c.all)
		}
		if got := Existing(c.src, lookup); got != c.existing {
			t.Errorf("Existing(%q): got %q, want %q", c.src, got, c.existing)
		}
	}
}

func TestResultIsBounded(t *testing.T) {
	got := All(strings.Repeat("$LONG", 10)+"$A", lookup)
	if want := strings.Repeat("x", 1<<17) + strings.Repeat("$LONG", 8) + "$A"; got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

func TestNames(t *testing.T) {
	got := Names("$B ${A} %C% $B $$D %%E% $F_1x ${1} 100% $")
	if want := []string{"B", "A", "C", "F_1x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestManyNames(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "$V%d%%V%d%%", i%100, i%50)
	}
	got := Names(b.String())
	if len(got) != 100 || got[0] != "V0" || got[99] != "V99" {
		t.Errorf("got %d names: %q", len(got), got)
	}
}

// text draws texts with and without references, whole and broken.
var text = rapid.Custom(func(t *rapid.T) string {
	parts := rapid.SliceOf(rapid.SampledFrom([]string{
		"$", "%", "{", "}", "A", "B_2", "UNDEF", "é", " ", "$A", "${B_2}", "%A%", "$$", "%%", "1", "-",
	})).Draw(t, "parts")
	return strings.Join(parts, "")
})

func TestExpandTwiceIsExpandOnce(t *testing.T) {
	plain := func(name string) (string, bool) { return "<" + name + ">", name != "UNDEF" }
	rapid.Check(t, func(rt *rapid.T) {
		src := text.Draw(rt, "src")
		all, existing := All(src, plain), Existing(src, plain)
		if !strings.ContainsAny(all, "$%") && All(all, plain) != all {
			rt.Fatalf("%q: got %q, then %q", src, all, All(all, plain))
		}
		none := func(string) (string, bool) { return "", false }
		if got := Existing(src, none); got != src {
			rt.Fatalf("%q: nothing is set, got %q", src, got)
		}
		if len(Names(src)) == 0 && all != src {
			rt.Fatalf("%q has no names but became %q", src, all)
		}
		if !slices.Contains(Names(src), "UNDEF") && all != existing {
			rt.Fatalf("%q: all are set, got %q and %q", src, all, existing)
		}
	})
}

func BenchmarkExisting(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Existing("registry/$A/${B_2}:latest", lookup)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"$A ${B_2} %A% $$ %%", "${", "%", "$é", "%A%A%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		names := Names(src)
		calls := 0
		All(src, func(name string) (string, bool) {
			calls++
			if !slices.Contains(names, name) {
				t.Fatalf("%q: %q is not among the names", src, name)
			}
			return "", true
		})
		if calls < len(names) && len(src) < maxResult {
			t.Fatalf("%q: asked for %d of %d names", src, calls, len(names))
		}
		if got := Existing(src, func(name string) (string, bool) { return "${" + name + "}", true }); len(got) > 3*len(src)+maxResult {
			t.Fatalf("%q: got %d bytes", src, len(got))
		}
	})
}
