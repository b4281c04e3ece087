package wire

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"
)

// fromJSON and fromForm make Params whose parameter a has a value.
func fromJSON(t *testing.T, value string) *Params {
	t.Helper()
	return read(t, request("/", jsonType, `{"a":`+value+`}`))
}

func fromForm(t *testing.T, form string) *Params {
	t.Helper()
	return read(t, request("/", formType, form))
}

func problem(p *Params) string {
	if err := p.Err(); err != nil {
		return Explain(err).Message
	}
	return ""
}

func TestScalarAccessors(t *testing.T) {
	str := func(p *Params) any { return p.String("a") }
	num := func(p *Params) any { return p.Int("a", -7) }
	boolean := func(p *Params) any { return p.Bool("a", true) }
	enum := func(p *Params) any { return p.Enum("a", "asc", "asc", "desc") }
	at := func(p *Params) any { return p.Time("a").Format(time.RFC3339Nano) }
	const never = "0001-01-01T00:00:00Z"
	tests := []struct {
		name    string
		get     func(*Params) any
		json    string
		want    any
		problem string
	}{
		{"string", str, `"x"`, "x", ""},
		{"string", str, `12`, "12", ""},
		{"string", str, `1.50`, "1.50", ""},
		{"string", str, `true`, "true", ""},
		{"string", str, `null`, "", ""},
		{"string", str, `{}`, "", "a is invalid"},
		{"string", str, `["x"]`, "", "a is invalid"},
		{"int", num, `12`, int64(12), ""},
		{"int", num, `"12"`, int64(12), ""},
		{"int", num, `" -12 "`, int64(-12), ""},
		{"int", num, `"012"`, int64(12), ""},
		{"int", num, `""`, int64(-7), ""},
		{"int", num, `null`, int64(-7), ""},
		{"int", num, `99999999999999999999`, int64(math.MaxInt64), ""},
		{"int", num, `"-99999999999999999999"`, int64(math.MinInt64), ""},
		{"int", num, `"abc"`, int64(-7), "a is invalid"},
		{"int", num, `"12abc"`, int64(-7), "a is invalid"},
		{"int", num, `12.5`, int64(-7), "a is invalid"},
		{"int", num, `"0x10"`, int64(-7), "a is invalid"},
		{"int", num, `"1_000"`, int64(-7), "a is invalid"},
		{"int", num, `true`, int64(-7), "a is invalid"},
		{"int", num, `[1]`, int64(-7), "a is invalid"},
		{"bool", boolean, `false`, false, ""},
		{"bool", boolean, `"false"`, false, ""},
		{"bool", boolean, `"False"`, false, ""},
		{"bool", boolean, `0`, false, ""},
		{"bool", boolean, `"off"`, false, ""},
		{"bool", boolean, `"no"`, false, ""},
		{"bool", boolean, `true`, true, ""},
		{"bool", boolean, `1`, true, ""},
		{"bool", boolean, `"True"`, true, ""},
		{"bool", boolean, `"yes"`, true, ""},
		{"bool", boolean, `""`, true, ""},
		{"bool", boolean, `null`, true, ""},
		{"bool", boolean, `"maybe"`, true, "a is invalid"},
		{"bool", boolean, `2`, true, "a is invalid"},
		{"bool", boolean, `{}`, true, "a is invalid"},
		{"enum", enum, `"desc"`, "desc", ""},
		{"enum", enum, `null`, "asc", ""},
		{"enum", enum, `"up"`, "asc", "a does not have a valid value"},
		{"enum", enum, `""`, "asc", "a does not have a valid value"},
		{"enum", enum, `[]`, "", "a is invalid"},
		{"time", at, `"2026-12-01"`, "2026-12-01T00:00:00Z", ""},
		{"time", at, `"2026-12-01T10:00:00Z"`, "2026-12-01T10:00:00Z", ""},
		{"time", at, `"2026-12-01T10:00:00+02:00"`, "2026-12-01T08:00:00Z", ""},
		{"time", at, `"2026-12-01T10:00:00+0200"`, "2026-12-01T08:00:00Z", ""},
		{"time", at, `"2026-12-01T10:00:00.123Z"`, "2026-12-01T10:00:00.123Z", ""},
		{"time", at, `"2026-12-01T10:00:00"`, "2026-12-01T10:00:00Z", ""},
		{"time", at, `"2026-12-01 10:00"`, "2026-12-01T10:00:00Z", ""},
		{"time", at, `"20261201T100000Z"`, "2026-12-01T10:00:00Z", ""},
		{"time", at, `null`, never, ""},
		{"time", at, `""`, never, ""},
		{"time", at, `"abc"`, never, "a is invalid"},
		{"time", at, `"01/01/2050"`, never, "a is invalid"},
		{"time", at, `"25/26/27"`, never, "a is invalid"},
		{"time", at, `"2308"`, never, "a is invalid"},
		{"time", at, `"2026-13-01"`, never, "a is invalid"},
		{"time", at, `"2026-12-01T10:00:00 02:00"`, never, "a is invalid"},
		{"time", at, `20261201`, never, "a is invalid"},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.json, func(t *testing.T) {
			p := fromJSON(t, test.json)
			if got := test.get(p); got != test.want || problem(p) != test.problem {
				t.Errorf("got %v %q, want %v %q", got, problem(p), test.want, test.problem)
			}
		})
	}
}

func TestAbsentParameters(t *testing.T) {
	p := fromForm(t, "")
	got := fmt.Sprintln(p.String("a"), p.Int("a", 3), p.Bool("a", true), p.Enum("a", "x", "y"), p.Strings("a") == nil,
		p.Enums("a", "x") == nil, p.Commas("a") == nil, p.List("a") == nil, p.Map("a") == nil, p.Time("a").IsZero(), p.Has("a"))
	if want := " 3 true x true true true true true true false\n"; got != want || p.Err() != nil {
		t.Errorf("got %q %v, want %q", got, p.Err(), want)
	}
}

func TestListAccessors(t *testing.T) {
	strs := func(p *Params) any { return p.Strings("a") }
	enums := func(p *Params) any { return p.Enums("a", "x", "y") }
	commas := func(p *Params) any { return p.Commas("a") }
	list := func(p *Params) any {
		var texts []string
		for _, item := range p.List("a") {
			texts = append(texts, treeJSON(t, item))
		}
		return texts
	}
	tests := []struct {
		name    string
		get     func(*Params) any
		form    string
		want    []string
		problem string
	}{
		{"strings", strs, "a[]=x&a[]=y", []string{"x", "y"}, ""},
		{"strings", strs, "a=x", []string{"x"}, ""},
		{"strings", strs, "a=x&a=y&a=z", []string{"x", "y", "z"}, ""},
		{"strings", strs, "a[1]=y&a[0]=x", []string{"x", "y"}, ""},
		{"strings", strs, "a=", nil, ""},
		{"strings", strs, "a[k]=x", nil, "a is invalid"},
		{"strings", strs, "a[][k]=x", nil, "a is invalid"},
		{"enums", enums, "a[]=x&a[]=y", []string{"x", "y"}, ""},
		{"enums", enums, "a=x&a=y", []string{"x", "y"}, ""},
		{"enums", enums, "a[]=x&a[]=z", nil, "a does not have a valid value"},
		{"commas", commas, "a=x, y,,z", []string{"x", "y", "z"}, ""},
		{"commas", commas, "a[]=x,y&a[]=z", []string{"x", "y", "z"}, ""},
		{"list", list, "a[][k]=1&a[][v]=2&a[][k]=3", []string{`{"k":"1","v":"2"}`, `{"k":"3"}`}, ""},
		{"list", list, "a[10][k]=3&a[2][k]=1", []string{`{"k":"1"}`, `{"k":"3"}`}, ""},
		{"list", list, "a=x", nil, "a is invalid"},
		{"list", list, "a[k]=x", nil, "a is invalid"},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.form, func(t *testing.T) {
			p := fromForm(t, test.form)
			if got := test.get(p); !reflect.DeepEqual(got, test.want) || problem(p) != test.problem {
				t.Errorf("got %v %q, want %v %q", got, problem(p), test.want, test.problem)
			}
		})
	}
	p := fromJSON(t, `[]`)
	if got := p.Strings("a"); len(got) != 0 || p.List("a") != nil || p.Err() != nil {
		t.Errorf("empty list: got %v %v", got, p.Err())
	}
}

func TestMapAccessor(t *testing.T) {
	tests := []struct{ json, want, problem string }{
		{`{"K":"v"}`, `{"K":"v"}`, ""},
		{`{}`, `{}`, ""},
		{`null`, `null`, ""},
		{`""`, `null`, ""},
		{`"value"`, `null`, "a is invalid"},
		{`[{"key":"K","value":"v"}]`, `null`, "a is invalid"},
		{`12`, `null`, "a is invalid"},
	}
	for _, test := range tests {
		p := fromJSON(t, test.json)
		if got := treeJSON(t, p.Map("a")); got != test.want || problem(p) != test.problem {
			t.Errorf("%s: got %s %q, want %s %q", test.json, got, problem(p), test.want, test.problem)
		}
	}
}

// Cases 2 to 6 of contract/trigger-api.md 1.7.
func TestTriggerParameterErrors(t *testing.T) {
	tests := []struct{ form, want string }{
		{"ref=main&token=x", ""},
		{"ref=main&token=", ""},
		{"token=x", "ref is missing, ref is empty"},
		{"token=x&ref=", "ref is empty"},
		{"token=x&ref=%20%09", "ref is empty"},
		{"token=x&ref", "ref is empty"},
		{"ref=main", "token is missing"},
		{"", "ref is missing, ref is empty, token is missing"},
		{"ref=main&token=x&variables=value", "variables is invalid"},
		{"variables=value", "ref is missing, ref is empty, token is missing, variables is invalid"},
	}
	for _, test := range tests {
		p := fromForm(t, test.form)
		p.RequireFilled("ref")
		p.Require("token")
		p.Map("variables")
		if got := problem(p); got != test.want {
			t.Errorf("%s: got %q, want %q", test.form, got, test.want)
		}
	}
}

func TestRequireSeesNull(t *testing.T) {
	p := fromJSON(t, `null`)
	p.Require("a")
	if p.Err() != nil {
		t.Errorf("null counts as there: got %v", p.Err())
	}
	p.Filled("a", "b")
	p.RequireFilled("a")
	if got, want := problem(p), "a is empty"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBlank(t *testing.T) {
	for value, want := range map[string]bool{
		`null`: true, `""`: true, `" \n"`: true, `false`: true, `[]`: true, `{}`: true,
		`"x"`: false, `0`: false, `true`: false, `[null]`: false, `{"a":null}`: false,
	} {
		if got := fromJSON(t, value).Get("a").Blank(); got != want {
			t.Errorf("%s: got %v, want %v", value, got, want)
		}
	}
}

func TestNestedNames(t *testing.T) {
	for name, p := range map[string]*Params{
		"form": fromForm(t, "filter[environment_scope]=production&filter[a][b]=c"),
		"json": read(t, request("/", jsonType, `{"filter":{"environment_scope":"production","a":{"b":"c"}}}`)),
	} {
		if got := p.String("filter[environment_scope]"); got != "production" {
			t.Errorf("%s: got %q", name, got)
		}
		if p.String("filter[a][b]") != "c" || p.Has("filter[x]") || p.Has("other[x]") || p.Err() != nil {
			t.Errorf("%s: got %s", name, treeJSON(t, p.root))
		}
		p.Int("filter[environment_scope]", 0)
		if got, want := problem(p), "filter[environment_scope] is invalid"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestJSONSentAsFormGetsAHint(t *testing.T) {
	p := read(t, request("/", formType, `{"token":"glptt-secret","ref":"main"}`))
	p.Require("ref", "token")
	got := Explain(p.Err())
	if got.Message != "ref is missing, token is missing" || got.Code != "json_sent_as_form" || len(got.Hint) > 200 {
		t.Errorf("got %+v", got)
	}
}
