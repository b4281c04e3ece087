package tree

import (
	"strings"
	"testing"
)

func TestFromJSON(t *testing.T) {
	tests := []struct {
		src, want string
		kind      Kind
	}{
		{`null`, `null`, Null},
		{` true `, `true`, Bool},
		{`3`, `3`, Int},
		{`-0`, `-0`, Int},
		{`3.50`, `3.5`, Float},
		{`1e3`, `1000.0`, Float},
		{`1e400`, `"Infinity"`, Float},
		{`-1e400`, `"-Infinity"`, Float},
		{`12345678901234567890123`, `12345678901234567890123`, Int},
		{`"3"`, `"3"`, String},
		{`"<&>\u2028"`, `"<&>\u2028"`, String},
		{`[]`, `[]`, Seq},
		{`{"a":1,"b":[true,{"c":null}],"a":2}`, `{"a":2,"b":[true,{"c":null}]}`, Map},
	}
	pos := Pos{File: "f", Line: 3, Col: 4}
	for _, tt := range tests {
		n, err := FromJSON(pos, []byte(tt.src), DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		if n.Kind != tt.kind || n.Pos != pos || n.JSON() != tt.want {
			t.Errorf("%s: got %v at %v: %s, want %v: %s", tt.src, n.Kind, n.Pos, n.JSON(), tt.kind, tt.want)
		}
	}
}

func TestFromJSONRefuses(t *testing.T) {
	small := Limits{Bytes: 100, Nodes: 5, Depth: 3}
	for _, src := range []string{
		``, `{`, `[1,`, `{"a"}`, `{"a":1`, `x`, `1 2`, `[1,2,3,4,5]`, `[[[[1]]]]`, `"` + strings.Repeat("x", 100) + `"`,
	} {
		if n, err := FromJSON(Pos{}, []byte(src), small); err == nil {
			t.Errorf("%s: got %s", src, n.JSON())
		}
	}
}
