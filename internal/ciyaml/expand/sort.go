package expand

import "strings"

// Var is a variable whose value may refer to others.
type Var struct {
	Key   string
	Value string
	Raw   bool // neither expanded nor put into others
	File  bool // never put into others: the job sees a path, not the content
}

// CycleError says that variables refer to each other in a circle.
type CycleError struct {
	Keys []string // all variables of the circle, in the order of their discovery
}

// Error returns GitLab's sentence, without the name of the job.
func (e *CycleError) Error() string {
	return `circular variable reference detected: ["` + strings.Join(e.Keys, `", "`) + `"]`
}

// maxExpanded bounds the values that one Sort makes, in bytes: a few variables
// that refer to each other twice make a value of any size. Beyond it values
// stay as they are.
const maxExpanded = 8 << 20

// Sort returns the variables in an order in which each comes after those that
// it refers to, with their values expanded. References to unknown, raw and
// file variables, and of a variable to itself, are left for the runner. Where
// a key appears more than once, references mean the last one. vars is not
// changed. The error is a *CycleError.
func Sort(vars []Var) ([]Var, error) {
	s := sorter{vars: vars, budget: maxExpanded}
	if !s.needed() {
		return append([]Var(nil), vars...), nil
	}
	s.state = make([]state, len(vars))
	s.value = make([]string, len(vars))
	s.out = make([]Var, 0, len(vars))
	if len(vars) > indexFrom {
		s.byKey = make(map[string]int, len(vars))
		for i := range vars {
			s.byKey[vars[i].Key] = i
		}
	}
	for i := range vars {
		s.visit(i)
	}
	if s.cyclic {
		return nil, &CycleError{Keys: s.firstCycle()}
	}
	return s.out, nil
}

type state uint8

const (
	unseen state = iota
	open         // being visited: what leads here again is a circle
	done
)

// indexFrom is the number of variables from which an index beats a search:
// most jobs have a hundred variables and a handful of references.
const indexFrom = 200

type sorter struct {
	vars   []Var
	byKey  map[string]int // nil for few variables
	state  []state
	value  []string // expanded, of those that are done
	out    []Var
	budget int
	cyclic bool
}

// find returns the last variable called name, or -1.
func (s *sorter) find(name string) int {
	if s.byKey != nil {
		if i, ok := s.byKey[name]; ok {
			return i
		}
		return -1
	}
	for i := len(s.vars) - 1; i >= 0; i-- {
		if s.vars[i].Key == name {
			return i
		}
	}
	return -1
}

// needed reports whether any variable may refer to another.
func (s *sorter) needed() bool {
	for i := range s.vars {
		if refers(s.vars[i]) {
			return true
		}
	}
	return false
}

func refers(v Var) bool { return !v.Raw && strings.ContainsAny(v.Value, "$%") }

// children returns the variables that variable i refers to.
func (s *sorter) children(i int) []int {
	v := s.vars[i]
	if !refers(v) {
		return nil
	}
	var out []int
	for _, name := range Names(v.Value) {
		if j := s.find(name); j >= 0 && name != v.Key {
			out = append(out, j)
		}
	}
	return out
}

// visit puts variable i out, after those that it refers to.
func (s *sorter) visit(i int) {
	if s.state[i] != unseen {
		s.cyclic = s.cyclic || s.state[i] == open
		return
	}
	s.state[i] = open
	for _, j := range s.children(i) {
		s.visit(j)
	}
	s.state[i] = done

	v := s.vars[i]
	if refers(v) {
		v.Value = s.expand(v)
	}
	s.value[i] = v.Value
	s.out = append(s.out, v)
}

func (s *sorter) expand(v Var) string {
	value := Existing(v.Value, func(name string) (string, bool) {
		j := s.find(name)
		if j < 0 || name == v.Key || s.vars[j].Raw || s.vars[j].File {
			return "", false
		}
		return s.value[j], true
	})
	if s.budget -= len(value); s.budget < 0 {
		return v.Value
	}
	return value
}

// firstCycle returns the keys of the first group of variables that all refer
// to each other, directly or not: Tarjan's strongly connected components.
func (s *sorter) firstCycle() []string {
	t := tarjan{s: s, number: make([]int, len(s.vars)), onStack: make([]bool, len(s.vars))}
	for i := range s.vars {
		if t.number[i] == 0 {
			t.visit(i)
		}
		if t.keys != nil {
			break
		}
	}
	return t.keys
}

type tarjan struct {
	s       *sorter
	number  []int // order of discovery, from 1
	onStack []bool
	stack   []int
	last    int
	keys    []string
}

// visit returns the lowest number that can be reached from variable i.
func (t *tarjan) visit(i int) int {
	t.last++
	low := t.last
	t.number[i] = low
	t.onStack[i] = true
	depth := len(t.stack)
	t.stack = append(t.stack, i)
	for _, j := range t.s.children(i) {
		switch {
		case t.number[j] == 0:
			low = min(low, t.visit(j))
		case t.onStack[j]:
			low = min(low, t.number[j])
		}
	}
	if low == t.number[i] {
		component := t.stack[depth:]
		t.stack = t.stack[:depth]
		for _, j := range component {
			t.onStack[j] = false
		}
		if len(component) > 1 && t.keys == nil {
			for _, j := range component {
				t.keys = append(t.keys, t.s.vars[j].Key)
			}
		}
	}
	return low
}
