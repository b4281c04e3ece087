package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func variables(name string) (string, bool) {
	v, ok := map[string]string{
		"EMPTY":      "",
		"BLANK":      " \t\n",
		"P":          "my variable",
		"teststring": "abcde",
		"pattern":    "/^ab.*/",
		"flags":      "/^AB/i",
		"slash":      `/a\/b/`,
		"bare":       "/x/",
		"bad":        "/(/",
		"plain":      "^ab.*",
		"numbers":    "1234",
		"path":       "x/a/b",
		"lines":      "one\ntwo",
		"N":          "10",
	}[name]
	return v, ok
}

// The table of the contract, with UNDEF unset.
var evalCases = []struct {
	src  string
	want bool
}{
	{`$P`, true},
	{`$EMPTY`, false},
	{`$UNDEF`, false},
	{`$BLANK`, false},
	{`null`, false},
	{`"x"`, true},
	{`""`, false},
	{`/ab/`, true},
	{`$P == "my variable"`, true},
	{`"my variable" == $P`, true},
	{`$P == 'my variable'`, true},
	{`$P == "My variable"`, false},
	{`$P != "my variable"`, false},
	{`$P == $P`, true},
	{`$N == "10"`, true},
	{`$N == "10.0"`, false},
	{`$EMPTY == null`, false},
	{`$UNDEF == null`, true},
	{`$EMPTY == ""`, true},
	{`$UNDEF == ""`, false},
	{`$UNDEF == $EMPTY`, false},
	{`$UNDEF == $OTHER`, true},
	{`$UNDEF != null`, false},
	{`null == null`, true},
	{`$P == /my variable/`, false},
	{`/ab/ == /ab/`, true},

	{`$EMPTY && $P`, true},
	{`$P && $EMPTY`, false},
	{`$EMPTY || $P`, false},
	{`$UNDEF || $P`, true},
	{`$UNDEF && $P`, false},
	{`$P && $UNDEF`, false},
	{`$P || $UNDEF`, true},
	{`null || $EMPTY`, false},
	{`$P && null || $EMPTY == ""`, true},
	{`"string" == "test" || "string"`, true},
	{`"string" == ("test" && "string")`, true},
	{`"string" == "test" && "string"`, false},
	{`("string" == "test" || "x") && "y"`, true},
	{`"a" == "b" || "c" == "d" && "e" == "e"`, false},
	{`"a" == "a" || "c" == "d" && "e" == "f"`, true},
	{`("a" == "a" || "c" == "d") && "e" == "f"`, false},
	{`$A == "a" == null`, false},
	{`"a" == "a" == ("b" == "b")`, true},
	{`"a" == "a" == "b"`, false},

	{`$UNDEF =~ /xy/`, false},
	{`$EMPTY =~ /xy/`, false},
	{`$UNDEF !~ /xy/`, true},
	{`$EMPTY !~ /xy/`, true},
	{`$EMPTY =~ /x*/`, true},
	{`$P =~ /var/`, true},
	{`$P !~ /var/`, false},
	{`$P =~ /VAR/`, false},
	{`$P =~ /VAR/i`, true},
	{`$P =~ /^var/`, false},
	{`$P =~ /^my.*able$/`, true},
	{`$lines =~ /^two/`, false},
	{`$lines =~ /^two/m`, true},
	{`$lines =~ /one.two/`, false},
	{`$lines =~ /one.two/s`, true},
	{`$lines =~ /ONE.TWO/si`, true},
	{`$path =~ /a\/b/`, true},
	{`$path =~ /a\/c/`, false},
	{`"a/" =~ /a//`, true},
	{`null =~ /ab/`, false},
	{`$P =~ /my/ && $P !~ /your/`, true},

	{`$teststring =~ $pattern`, true},
	{`"xab" =~ $pattern`, false},
	{`$teststring =~ $flags`, true},
	{`$path =~ $slash`, true},
	{`"axb" =~ $bare`, true},
	{`"abc" =~ "/b/"`, true},
	{`$teststring =~ $plain`, false},
	{`"23" =~ "1234"`, true},
	{`"23" =~ $numbers`, true},
	{`"1234" =~ "23"`, false},
	{`$teststring =~ $teststring`, true},
	{`$EMPTY =~ $numbers`, true},
	{`$UNDEF =~ $numbers`, true},
	{`$P =~ $UNDEF`, false},
	{`$P !~ $UNDEF`, true},
	{`$P =~ $EMPTY`, false},
	{`$P !~ $EMPTY`, true},
	{`$EMPTY =~ $EMPTY`, true},
	// A bad pattern makes the whole statement false.
	{`$P =~ $bad`, false},
	{`$P !~ $bad`, false},
	{`$P !~ $bad || "x"`, false},
	{`"x" || $P =~ $bad`, true},
	{`$P =~ ("a" == "a")`, false},
	{`$P !~ ("a" == "a")`, false},
	{`("a" == "a") =~ /true/`, true},

	{"\t$P\n==\r\n\"my variable\" ", true},
	{`$P=="my variable"&&$N!="9"`, true},
	{`(((($P))))`, true},
	{`$_1`, false},
}

func TestEval(t *testing.T) {
	for _, c := range evalCases {
		e, err := Parse(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		if got := e.Eval(variables); got != c.want {
			t.Errorf("%s: got %v, want %v", c.src, got, c.want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		src     string
		offset  int
		message string
	}{
		{``, 0, `unexpected end, expected a variable, a string, a pattern or null`},
		{`  `, 2, `unexpected end, expected a variable, a string, a pattern or null`},
		{`${VAR}`, 0, `a variable is written $NAME`},
		{`$`, 0, `a variable is written $NAME`},
		{`%VAR%`, 0, `unexpected "%VAR%"`},
		{`main`, 0, `unexpected "main"`},
		{`$A == main`, 6, `unexpected "main"`},
		{`$A == true`, 6, `unexpected "true"`},
		{`$A == 1`, 6, `unexpected "1"`},
		{`$A = "x"`, 3, `unexpected "="`},
		{`$A & $B`, 3, `unexpected "&"`},
		{`$A | $B`, 3, `unexpected "|"`},
		{`!$A`, 0, `unexpected "!"`},
		{`$A =~ /x/`, 6, `a pattern is written /…/ with at least two characters inside`},
		{`$A =~ //`, 6, `a pattern is written /…/ with at least two characters inside`},
		{`$A =~ /ab`, 6, `a pattern is written /…/ with at least two characters inside`},
		{`$A =~ /ab\/`, 6, `a pattern is written /…/ with at least two characters inside`},
		{`$A =~ /ab/x`, 10, `unexpected "x"`},
		{`$A =~ /(ab/`, 6, "invalid pattern: error parsing regexp: missing closing ): `(ab`"},
		{`$A =~ /(?!ab)/`, 6, "invalid pattern: error parsing regexp: invalid or unsupported Perl syntax: `(?!`"},
		{`$A =~ /(a)\1/`, 6, "invalid pattern: error parsing regexp: invalid escape sequence: `\\1`"},
		{`"abc`, 0, `string without its closing "`},
		{"'a\nb'", 0, `string without its closing '`},
		{`$A $B`, 3, `unexpected "$B", expected an operator`},
		{`$A ==`, 5, `unexpected end, expected a variable, a string, a pattern or null`},
		{`== $A`, 0, `unexpected "==", expected a variable, a string, a pattern or null`},
		{`$A && || $B`, 6, `unexpected "||", expected a variable, a string, a pattern or null`},
		{`($A`, 3, `unexpected end, expected ")"`},
		{`$A)`, 2, `unexpected ")", expected an operator`},
		{`()`, 1, `unexpected ")", expected a variable, a string, a pattern or null`},
		{`"é" == ü`, 8, `unexpected "ü"`},
		{`$A == ` + strings.Repeat("x", 30), 6, `unexpected "` + strings.Repeat("x", 20) + `…"`},
		{`nullnull`, 4, `unexpected "null", expected an operator`},
		{`nullx`, 4, `unexpected "x"`},
	} {
		_, err := Parse(c.src)
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%s: got %v, want a *SyntaxError", c.src, err)
			continue
		}
		if se.Offset != c.offset || se.Message != c.message {
			t.Errorf("%s: got %d %s, want %d %s", c.src, se.Offset, se.Message, c.offset, c.message)
		}
	}
}

func TestTokenLimit(t *testing.T) {
	src := "$A" + strings.Repeat(" && $A", 49) // 99 tokens
	if _, err := Parse("(" + src); err == nil || strings.Contains(err.Error(), "too many") {
		t.Errorf("100 tokens, one bracket open: got %v", err)
	}
	if _, err := Parse(src); err != nil {
		t.Errorf("99 tokens: %v", err)
	}
	if _, err := Parse("(" + src + ")"); err == nil || !strings.Contains(err.Error(), "too many tokens (maximum is 100)") {
		t.Errorf("101 tokens: got %v", err)
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{` $A=="x"&&( $B || null ) `, `$A == "x" && ($B || null)`},
		{`($A == 'x') && $B`, `$A == "x" && $B`},
		{`'say "x"' != $A`, `'say "x"' != $A`},
		{`"it's"`, `"it's"`},
		{`$A == ($B == $C)`, `$A == ($B == $C)`},
		{`($A == $B) == $C`, `$A == $B == $C`},
		{`$A || ($B || $C)`, `$A || ($B || $C)`},
		{`$A =~ /a\/b/im || $B !~ $C`, `$A =~ /a\/b/im || $B !~ $C`},
	} {
		e, err := Parse(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		if got := e.String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.src, got, c.want)
		}
	}
}

func TestVariables(t *testing.T) {
	e, err := Parse(`$B =~ /x$A/ && ($A == "$C" || $B) && $D1_`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Variables(), []string{"B", "A", "D1_"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// testdata/re.json says which patterns RE2 takes. Go's library knows one form
// more, as does a newer RE2, and one fewer.
func TestPatternsOfRE2(t *testing.T) {
	b, err := os.ReadFile("testdata/re.json")
	if err != nil {
		t.Fatal(err)
	}
	var accepted map[string]bool
	if err := json.Unmarshal(b, &accepted); err != nil {
		t.Fatal(err)
	}
	accepted["(?<n>a)"] = true
	for pattern, want := range accepted {
		_, err := compile(pattern, "")
		if got := err == nil; got != want {
			t.Errorf("/%s/: got %v (%v), want %v", pattern, got, err, want)
		}
	}
}

// tree draws an expression, printed with more parentheses than it needs.
func tree(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom([]string{
			"$A", "$B_2", `"x"`, `'y"z'`, `"it's"`, `""`, "null", "/ab/", `/a\/b/i`, "/^v[0-9]+/ms", "/a//",
		}).Draw(t, "operand")
	}
	op := rapid.SampledFrom(operatorText[:]).Draw(t, "operator")
	s := tree(t, depth-1) + rapid.SampledFrom([]string{"", " ", "\n"}).Draw(t, "space") + op + " " + tree(t, depth-1)
	if rapid.Bool().Draw(t, "parentheses") {
		s = "(" + s + ")"
	}
	return s
}

// dump prints the tree with all parentheses.
func dump(n node) string {
	if b, ok := n.(*binary); ok {
		return "(" + dump(b.left) + operatorText[b.op] + dump(b.right) + ")"
	}
	if p, ok := n.(*pattern); ok {
		return "/" + p.body + "/" + p.flags
	}
	return fmt.Sprintf("%T:%q", n, fmt.Sprint(n))
}

func TestStringParsesToTheSameTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := tree(rt, 4)
		e, err := Parse(src)
		if err != nil {
			rt.Fatalf("%s: %v", src, err)
		}
		checkRoundTrip(rt, e)
	})
}

func checkRoundTrip(t interface{ Fatalf(string, ...any) }, e *Expr) {
	again, err := Parse(e.String())
	if err != nil {
		t.Fatalf("parse of the printed %s: %v", e, err)
	}
	if got, want := dump(again.root), dump(e.root); got != want {
		t.Fatalf("%s\n got %s\nwant %s", e, got, want)
	}
	if e.String() != again.String() || e.Eval(variables) != again.Eval(variables) {
		t.Fatalf("%s changed when it was printed", e)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(`$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH =~ /^release\/v\d+/ || $FORCE`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	e, err := Parse(`$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH =~ /^release\/v\d+/ || $FORCE`)
	if err != nil {
		b.Fatal(err)
	}
	values := map[string]string{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "release/v12"}
	lookup := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	b.ReportAllocs()
	for b.Loop() {
		if !e.Eval(lookup) {
			b.Fatal("got false")
		}
	}
}

func BenchmarkEvalPatternInVariable(b *testing.B) {
	e, err := Parse(`$teststring =~ $pattern`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !e.Eval(variables) {
			b.Fatal("got false")
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`$A == "x" && ($B =~ /^a\/b/i || null) != 'y'`, `$A !~ $pattern`, `/a//`, `"x" == ("y" == $Z)`, `$é`, `((`, `/(/`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Parse(src)
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || se.Offset < 0 || se.Offset > len(src) {
				t.Fatalf("%q: got %#v", src, err)
			}
			return
		}
		checkRoundTrip(t, e)
	})
}
