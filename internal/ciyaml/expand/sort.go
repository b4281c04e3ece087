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
	Keys []string // in the order in which the circle was walked
}

// Error returns GitLab's sentence, without the name of the job.
func (e *CycleError) Error() string {
	return `circular variable reference detected: ["` + strings.Join(e.Keys, `", "`) + `"]`
}

// Sort returns the variables in an order in which each comes after those that
// it refers to, with their values expanded. References to unknown, raw and
// file variables and of a variable to itself are left for the runner. Where a
// key appears more than once, references mean the last one. vars is not
// changed. The error is a *CycleError.
func Sort(vars []Var) ([]Var, error) {
	s := sorter{vars: vars, byKey: make(map[string]int, len(vars)), state: make([]visit, len(vars))}
	for i, v := range vars {
		s.byKey[v.Key] = i
	}
	for i := range vars {
		if err := s.visit(i); err != nil {
			return nil, err
		}
	}
	return s.out, nil
}

type visit uint8

const (
	unseen visit = iota
	open
	done
)

type sorter struct {
	vars  []Var
	byKey map[string]int
	state []visit
	path  []int // the open variables, outermost first
	value map[string]string
	out   []Var
}

func (s *sorter) visit(i int) error {
	switch s.state[i] {
	case done:
		return nil
	case open:
		return s.cycle(i)
	}
	v := s.vars[i]
	if v.Raw || !strings.ContainsAny(v.Value, "$%") {
		s.finish(i, v)
		return nil
	}
	s.state[i] = open
	s.path = append(s.path, i)
	for _, name := range Names(v.Value) {
		if j, ok := s.byKey[name]; ok && name != v.Key {
			if err := s.visit(j); err != nil {
				return err
			}
		}
	}
	s.path = s.path[:len(s.path)-1]
	v.Value = Existing(v.Value, func(name string) (string, bool) {
		if name == v.Key {
			return "", false
		}
		value, ok := s.value[name]
		return value, ok
	})
	s.finish(i, v)
	return nil
}

func (s *sorter) finish(i int, v Var) {
	s.state[i] = done
	s.out = append(s.out, v)
	if v.Raw || v.File || s.byKey[v.Key] != i {
		return
	}
	if s.value == nil {
		s.value = make(map[string]string, len(s.vars))
	}
	s.value[v.Key] = v.Value
}

// cycle names the open variables from i on.
func (s *sorter) cycle(i int) error {
	e := &CycleError{}
	for k := len(s.path) - 1; k >= 0; k-- {
		e.Keys = append([]string{s.vars[s.path[k]].Key}, e.Keys...)
		if s.path[k] == i {
			break
		}
	}
	return e
}
