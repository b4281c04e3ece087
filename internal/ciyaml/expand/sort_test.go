package expand

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pairs reads "KEY=value" variables; "KEY!" is raw, "KEY@" is a file.
func pairs(texts ...string) []Var {
	var out []Var
	for _, s := range texts {
		key, value, _ := strings.Cut(s, "=")
		v := Var{Key: strings.TrimRight(key, "!@"), Value: value}
		v.Raw = strings.Contains(key, "!")
		v.File = strings.Contains(key, "@")
		out = append(out, v)
	}
	return out
}

func TestSort(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want []Var
	}{
		{"nothing", nil, nil},
		{"no references", pairs("B=1", "A=2"), pairs("B=1", "A=2")},
		{"in order", pairs("A=1", "B=$A", "C=${B}2"), pairs("A=1", "B=1", "C=12")},
		{"out of order", pairs("C=%B%", "B=$A", "A=1"), pairs("A=1", "B=1", "C=1")},
		{"unknown", pairs("A=$X$B", "B=${Y}"), pairs("B=${Y}", "A=$X${Y}")},
		{"raw is not expanded", pairs("A!=$B", "B=1"), pairs("A!=$B", "B=1")},
		{"raw is not put in", pairs("A=x$B", "B!=$C", "C=1"), pairs("B!=$C", "A=x$B", "C=1")},
		{"file is not put in", pairs("A=x$B", "B@=content"), pairs("B@=content", "A=x$B")},
		{"file is expanded", pairs("A@=x$B", "B=1"), pairs("B=1", "A@=x1")},
		{"escapes", pairs("A=$$B %%B%", "B=1"), pairs("A=$$B %%B%", "B=1")},
		{"self", pairs("PATH=$PATH:/x", "A=$PATH"), pairs("PATH=$PATH:/x", "A=$PATH:/x")},
		{"self with an earlier one", pairs("PATH=/bin", "PATH=$PATH:/x", "A=$PATH"), pairs("PATH=/bin", "PATH=$PATH:/x", "A=$PATH:/x")},
		{"the last one counts", pairs("A=1", "B=$A", "A=2"), pairs("A=1", "A=2", "B=2")},
		{"a value is not looked at again", pairs("A=$B", "B!=$C", "C=$D", "D=$$A"), pairs("B!=$C", "A=$B", "D=$$A", "C=$$A")},
	} {
		before := slices.Clone(c.in)
		got, err := Sort(c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v %v, want %v", c.name, got, err, c.want)
		}
		if !slices.Equal(before, c.in) {
			t.Errorf("%s: the argument was changed", c.name)
		}
	}
}

func TestCycles(t *testing.T) {
	for _, c := range []struct {
		in   []Var
		want string
	}{
		{pairs("A=$B", "B=$A"), `["A", "B"]`},
		{pairs("X=1", "B=$A", "A=$B$X"), `["B", "A"]`},
		{pairs("A=$B", "B=$C", "C=$B"), `["B", "C"]`},
		{pairs("A=$B", "B=$A$C", "C=$B"), `["A", "B", "C"]`},
		{pairs("S=$S", "A=$B", "B=${C}", "C=%A%"), `["A", "B", "C"]`},
	} {
		_, err := Sort(c.in)
		var cycle *CycleError
		if !errors.As(err, &cycle) {
			t.Errorf("%v: got %v, want a *CycleError", c.in, err)
			continue
		}
		if want := "circular variable reference detected: " + c.want; err.Error() != want {
			t.Errorf("%v: got %s, want %s", c.in, err, want)
		}
	}
	many := pairs("A=$B", "B=$A")
	for i := range indexFrom {
		many = append(many, Var{Key: fmt.Sprint("X", i)})
	}
	if _, err := Sort(many); err == nil {
		t.Error("a circle among many variables was not seen")
	}
	if _, err := Sort(pairs("A=$B", "B!=$A")); err != nil {
		t.Errorf("a raw variable ends the circle: got %v", err)
	}
}

func TestSortIsBounded(t *testing.T) {
	vars := pairs("V0=0123456789")
	for i := range 300 {
		vars = append(vars, Var{Key: fmt.Sprintf("V%d", i+1), Value: fmt.Sprintf("$V%d$V%d", i, i)})
	}
	got, err := Sort(vars)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, v := range got {
		sum += len(v.Value)
	}
	if sum > maxExpanded+len(vars)*20 {
		t.Errorf("got %d bytes, want at most %d", sum, maxExpanded)
	}
}

func TestSortProperties(t *testing.T) {
	value := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "$A", "${B}", "%C%", "$D", "$E", "$X", "$$A"}), 0, 3)
	rapid.Check(t, func(rt *rapid.T) {
		var vars []Var
		for _, key := range rapid.Permutation([]string{"A", "B", "C", "D", "E"}).Draw(rt, "keys") {
			vars = append(vars, Var{
				Key:   key,
				Value: strings.Join(value.Draw(rt, "value"), ""),
				Raw:   rapid.IntRange(0, 5).Draw(rt, "raw") == 0,
				File:  rapid.IntRange(0, 5).Draw(rt, "file") == 0,
			})
		}
		got, err := Sort(vars)
		var cycle *CycleError
		if errors.As(err, &cycle) {
			if len(cycle.Keys) < 2 {
				rt.Fatalf("got a circle of %q", cycle.Keys)
			}
			return
		}
		if len(got) != len(vars) {
			rt.Fatalf("got %d variables, want %d", len(got), len(vars))
		}
		for i, v := range got {
			if v.Raw {
				continue
			}
			// What is left are the variables that must not be put in, and
			// references that came in with the value of another one.
			for _, name := range Names(v.Value) {
				j := slices.IndexFunc(got, func(w Var) bool { return w.Key == name })
				if j >= 0 && j != i && !got[j].Raw && !got[j].File && !slices.ContainsFunc(vars, func(w Var) bool {
					return w.Key == name && slices.Contains(Names(w.Value), name)
				}) {
					rt.Fatalf("%v: %s still refers to %s", got, v.Key, name)
				}
			}
		}
	})
}

func BenchmarkSort(b *testing.B) {
	vars := pairs("C=$B/$A", "B=${A}x", "A=1")
	for i := range 60 {
		vars = append(vars, Var{Key: fmt.Sprintf("CI_VAR_%d", i), Value: "some value of a predefined variable"})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Sort(vars); err != nil {
			b.Fatal(err)
		}
	}
}
