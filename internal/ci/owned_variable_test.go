package ci

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestProblemsOfVariables(t *testing.T) {
	valid := OwnedVariable{Variable: Variable{Key: "KEY", Value: "value"}, Scope: AnyEnvironment}
	for _, test := range []struct {
		name   string
		change func(*OwnedVariable)
		want   string // field: texts
	}{
		{"valid", func(*OwnedVariable) {}, ""},
		{"empty value", func(v *OwnedVariable) { v.Value = "" }, ""},
		{"no key", func(v *OwnedVariable) { v.Key = "" }, "key: can't be blank; can contain only letters, digits and '_'."},
		{"bad key", func(v *OwnedVariable) { v.Key = "A-B" }, "key: can contain only letters, digits and '_'."},
		{"key with a line end", func(v *OwnedVariable) { v.Key = "AB\n" }, "key: can contain only letters, digits and '_'."},
		{"longest key", func(v *OwnedVariable) { v.Key = strings.Repeat("k", 255) }, ""},
		{"long key", func(v *OwnedVariable) { v.Key = strings.Repeat("k", 256) }, "key: is too long (maximum is 255 characters)"},
		{"no scope", func(v *OwnedVariable) { v.Scope = "" },
			"environment_scope: can't be blank; can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces"},
		{"pattern", func(v *OwnedVariable) { v.Scope = "review/*-${X} 1.0" }, ""},
		{"bad scope", func(v *OwnedVariable) { v.Scope = "a,b" },
			"environment_scope: can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces"},
		{"long description", func(v *OwnedVariable) { v.Description = strings.Repeat("ö", 256) }, "description: is too long (maximum is 255 characters)"},
		{"hidden alone", func(v *OwnedVariable) { v.Hidden = true }, "masked: should be true when variable is hidden"},
	} {
		v := valid
		test.change(&v)
		var got []string
		for _, field := range slices.Sorted(maps.Keys(v.Problems())) {
			got = append(got, field+": "+strings.Join(v.Problems()[field], "; "))
		}
		if got := strings.Join(got, "\n"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestMaskableValues(t *testing.T) {
	for value, want := range map[string]struct{ expanded, raw bool }{
		"s3cr3tvalue":    {true, true},
		"abc+/=@:.~-_12": {true, true},
		"short12":        {false, false},
		"eight888":       {true, true},
		"two words":      {false, false},
		"line1234\n":     {false, false},
		"pa$$word1":      {false, true},
		"ünïcödé1":       {false, true},
		"tab\tinside1":   {false, false},
		"":               {false, false},
	} {
		for _, raw := range []bool{false, true} {
			v := OwnedVariable{Variable: Variable{Key: "K", Value: value, Raw: raw, Masked: true}, Scope: "*"}
			got, want := v.Problems() == nil, raw && want.raw || !raw && want.expanded
			if got != want {
				t.Errorf("%q, raw %v: maskable is %v, want %v", value, raw, got, want)
			}
		}
	}
}

func TestScopes(t *testing.T) {
	for _, test := range []struct {
		scope, environment string
		want               bool
	}{
		{"*", "", true}, {"*", "production", true}, {"production", "", false}, {"*x", "", false}, {"**", "", false},
		{"production", "production", true}, {"production", "Production", false}, {"production", "production2", false},
		{"review/*", "review/app", true}, {"review/*", "review/", true}, {"review/*", "review", false}, {"review/*", "a/review/b", false},
		{"*/app", "review/app", true}, {"*/app", "/app", true}, {"*/app", "app", false},
		{"a*b*c", "abc", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"review_*", "review/app", false}, {"a.c", "abc", false}, {"50%", "500", false},
	} {
		if got := (OwnedVariable{Scope: test.scope}).InScope(test.environment); got != test.want {
			t.Errorf("%q in %q: got %v, want %v", test.scope, test.environment, got, test.want)
		}
	}
}

func TestVariablesFor(t *testing.T) {
	var list []OwnedVariable
	for _, words := range []string{"A *", "A review/*", "A review/app", "A *app", "B review/*", "B review/a*", "C * protected", "D *", "D other"} {
		parts := strings.Fields(words)
		list = append(list, OwnedVariable{Variable: Variable{Key: parts[0], Value: words}, Scope: parts[1], Protected: len(parts) > 2})
	}
	for _, test := range []struct {
		environment string
		protected   bool
		want        string
	}{
		{"", false, "A *, D *"},
		{"", true, "A *, C * protected, D *"},
		{"review/app", false, "A review/app, B review/a*, D *"},
		{"review/new", true, "A review/*, B review/*, C * protected, D *"},
		{"app", false, "A *app, D *"},
	} {
		var got []string
		for _, v := range VariablesFor(list, test.protected, test.environment) {
			got = append(got, v.Value)
		}
		if got := strings.Join(got, ", "); got != test.want {
			t.Errorf("%q, protected %v: got %q, want %q", test.environment, test.protected, got, test.want)
		}
	}
}
