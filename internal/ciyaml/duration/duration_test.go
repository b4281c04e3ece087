package duration

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// answer is what Parse says, as text.
func answer(text string) string {
	seconds, never, err := Parse(text)
	switch {
	case err != nil:
		return "refused"
	case never:
		return "never"
	}
	return strconv.FormatInt(seconds, 10)
}

// testdata/dur.json holds the answers of chronic_duration 0.10.6, null where
// there is none.
func TestChronicDuration(t *testing.T) {
	b, err := os.ReadFile("testdata/dur.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]json.RawMessage
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		var text string
		if err := json.Unmarshal(c[0], &text); err != nil {
			t.Fatal(err)
		}
		want, _, _ := strings.Cut(string(c[1]), ".")
		switch {
		case text == "never":
			want = "never" // GitLab's own word
		case want == "null":
			want = "refused"
		}
		if got := answer(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// More answers of the same library.
func TestChronicDurationMore(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"42", "42"},
		{"one week", "604800"},
		{"twenty five minutes", "1500"},
		{"twenty-five minutes", "1500"},
		{"twentyfive minutes", "1500"},
		{"thirty-one days", "2678400"},
		{"eleven hours, twelve minutes", "40320"},
		{"two hours and thirty minutes", "9000"},
		{"two and a half hours", "9000"},
		{"1 and a half days", "129600"},
		{"1 1/2 hours", "5400"},
		{"two hundred days", "17280000"},
		{"2 hundred days", "17280000"},
		{"one hundred and five minutes", "6300"},
		{"one thousand two hundred seconds", "1200"},
		{"one million two hundred thousand thirty one seconds", "1200031"},
		{"1 million seconds", "1000000"},
		{"five and twenty minutes", "1500"},
		{"one month one day", "2678400"},
		{"TWO DAYS", "172800"},
		{"one-hour", "3600"},
		{"Never", "never"},
		{"never ", "refused"},
		{"zero", "refused"},
		{"and", "refused"},
		{"day", "86400"},
		{"minute 30sec", "90"},
		{"1:2:3:4:5:6", "37015506"},
		{"1:2:3:4:5:6:7", "refused"},
		{"1:2:", "62"},
		{"::1:2", "86462"},
		{"1:", "1"},
		{"00:00", "refused"},
		{".5h", "1800"},
		{"0.4", "0"},
		{"1.2.3 h", "1080"},
		{"1 2 3", "3"},
		{"1\th", "3600"},
		{"1 ,h,", "3600"},
		{"1 ,,h", "1"},
		{"1h-30m", "1800"},
		{"1 with 2 plus 3", "3"},
		{"9007199254740993", "9007199254740993"},
		{"9223372036854775807", "9223372036854775807"},
		{"9223372036854775808", "refused"}, // beyond 64 bits Ruby goes on
		{"1000000000000 years", "refused"},
		{"9223372036854775807 9223372036854775807s", "9223372036854775807"},
		{"9223372036854775807s 1s", "refused"},
		{strings.Repeat("9", 400) + ".5 h", "refused"},
		{strings.Repeat("1s ", 400), "refused"},
	} {
		if got := answer(c.text); got != c.want {
			t.Errorf("%q: got %s, want %s", c.text, got, c.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"1 hour, 30 minutes and 2 secs", nil},
		{"never", nil},
		{"1:30", nil},
		{"h-m", nil},
		{"2 fortnight", []string{"fortnight"}},
		{"1 hr.", []string{"hr."}},
		{"-1h", []string{"-"}},
		{"1 - 2h", []string{"-"}},
		{"1,000 seconds", []string{","}},
		{"1e3", []string{"e"}},
		{"half an Hour", []string{"half", "an"}},
		{"$TIMEOUT", []string{"$timeout"}},
		{"1:2:3:4:5:6:7", []string{"1:2:3:4:5:6:7"}},
	} {
		if got := Unknown(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestSums(t *testing.T) {
	names := make([]string, 0, len(units))
	for name := range units {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(rt *rapid.T) {
		var want uint64
		var parts []string
		for range rapid.IntRange(1, 5).Draw(rt, "parts") {
			n := rapid.Uint64Range(1, 10_000).Draw(rt, "number")
			unit := rapid.SampledFrom(names).Draw(rt, "unit")
			want += n * units[unit]
			parts = append(parts, fmt.Sprint(n)+rapid.SampledFrom([]string{"", " "}).Draw(rt, "space")+unit)
		}
		text := strings.Join(parts, rapid.SampledFrom([]string{" ", ", ", " and ", ""}).Draw(rt, "join"))
		if got := answer(text); got != strconv.FormatUint(want, 10) {
			rt.Fatalf("%q: got %s, want %d", text, got, want)
		}
		if got := Unknown(text); got != nil {
			rt.Fatalf("%q: got unknown words %q", text, got)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse("1 hour 30 minutes"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"1h 30m", "two and a half hours", "1:2:3", "one hundred and 1/2", "9e99", "½ h", "-,-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seconds, never, err := Parse(text)
		if seconds < 0 || never && seconds != 0 || err != nil && (never || seconds != 0) {
			t.Fatalf("%q: got %d, %v, %v", text, seconds, never, err)
		}
		Unknown(text)
	})
}
