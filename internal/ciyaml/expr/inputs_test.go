package expr

import (
	"slices"
	"testing"
)

var inputTypes = InputTypes{
	Known:   func(name string) bool { return slices.Contains([]string{"env", "flag", "off", "unset", "n"}, name) },
	Boolean: func(name string) bool { return name == "flag" || name == "off" },
}

func inputValues(name string) (string, bool) {
	v, ok := map[string]string{"inputs.env": "prod", "inputs.flag": "true", "inputs.off": "false", "inputs.n": "3", "X": "x"}[name]
	return v, ok
}

func TestParseInputs(t *testing.T) {
	tests := []struct {
		src  string
		want bool
	}{
		{`$[[ inputs.env ]] == "prod"`, true},
		{`$[[inputs.env]]=="prod"&&$[[ inputs.flag ]]`, true},
		{`$[[ inputs.env ]] =~ /^pr/ && $[[ inputs.flag ]] == true`, true},
		{`$[[ inputs.off ]]`, false},
		{`$[[ inputs.off ]] == false`, true},
		{`$[[ inputs.off ]] || $[[ inputs.n ]] == "3"`, true},
		{`$[[ inputs.unset ]] == null`, true},
		{`$[[ inputs.unset ]] == ""`, false},
		{`$X == "x" && true`, true},
		{`false`, false},
	}
	for _, tt := range tests {
		e, err := ParseInputs(tt.src, inputTypes)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		if got := e.Eval(inputValues); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.src, got, tt.want)
		}
		again, err := ParseInputs(e.String(), inputTypes)
		if err != nil || again.String() != e.String() {
			t.Errorf("%s prints as %s: %v", tt.src, e, err)
		}
	}
}

func TestParseInputsRefuses(t *testing.T) {
	for _, src := range []string{
		`$[[ inputs.nope ]] == "x"`, `$[[ inputs.env | truncate(0,1) ]]`, `$[[ inputs.env.x ]]`, `truest == "x"`, `$[[ inputs.env`,
	} {
		if e, err := ParseInputs(src, inputTypes); err == nil {
			t.Errorf("%s: got %s", src, e)
		}
	}
	if e, err := Parse(`$[[ inputs.env ]] == "prod"`); err == nil {
		t.Errorf("inputs in rules:if: got %s", e)
	}
	if e, err := Parse(`true`); err == nil {
		t.Errorf("a word in rules:if: got %s", e)
	}
}

func TestInputNames(t *testing.T) {
	e, err := ParseInputs(`$[[ inputs.n ]] && $[[ inputs.env ]] || $[[ inputs.n ]]`, inputTypes)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Inputs(), []string{"n", "env"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
