package expr

import (
	"fmt"
	"strings"
	"testing"
)

// TestExplain holds what is told of each operand.
func TestExplain(t *testing.T) {
	for _, test := range []struct{ src, want string }{
		{`$P`, "$P set"},
		{`$UNDEF`, "$UNDEF unset"},
		{`$EMPTY`, "$EMPTY empty"},
		{`$P == "my variable"`, `$P == "my variable" true`},
		{`$P == "x" && $UNDEF`, `$P == "x" false; $UNDEF skipped`},
		{`$P || $UNDEF == null`, `$P set; $UNDEF == null skipped`},
		{`$EMPTY || $P`, `$EMPTY empty; $P skipped`},
		{`$EMPTY && ($P == "x" || $N == "10")`, `$EMPTY empty; $P == "x" false; $N == "10" true`},
		{`$UNDEF && ($P || $N) || $P =~ /my/`, `$UNDEF unset; $P skipped; $N skipped; $P =~ /my/ true`},
		{`$P !~ $bad || $P`, `$P !~ $bad invalid; $P skipped`},
		{`("a" && $P) == $N`, `("a" && $P) == $N false`},
	} {
		e, err := Parse(test.src)
		if err != nil {
			t.Fatal(err)
		}
		_, parts := e.Explain(variables)
		var got []string
		for _, p := range parts {
			got = append(got, fmt.Sprintf("%s %s", p.Text, p.Result))
		}
		if got := strings.Join(got, "; "); got != test.want {
			t.Errorf("%s: got %s, want %s", test.src, got, test.want)
		}
	}
	e, err := Parse(`$B == $A && "$C" != "" && $B`)
	if err != nil {
		t.Fatal(err)
	}
	var names [][]string
	_, parts := e.Explain(variables)
	for _, p := range parts {
		names = append(names, p.Variables)
	}
	if got, want := fmt.Sprint(names), "[[B A] [] [B]]"; got != want {
		t.Errorf("operands read %s, want %s", got, want)
	}
	for _, test := range evalCases {
		e, err := Parse(test.src)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := e.Explain(variables); got != test.want {
			t.Errorf("%s: explained as %v, want %v", test.src, got, test.want)
		}
	}
}
