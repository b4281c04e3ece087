package ciyaml

import (
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
)

// A scope looks variables up for one job after the other, or for workflow
// rules while job is nil. From the highest: overrides of the input, the
// matched rule, the job, the workflow rule, the root, predefined ones of the
// input, predefined ones of the job (contract 5.1).
type scope struct {
	config   *Config
	in       *Input
	slots    []slot // by Config.slots
	workflow *varSet
	job      *jobSpec
	rule     *varSet
	spent    int  // on values put into texts so far
	overrun  bool // that was too much
	naming   bool // the name of the environment is being made
}

// A slot says where in the input a variable is, counted from 1; 0 is nowhere.
type slot struct{ override, predefined int }

// fillSlots finds the variables that the configuration names, in one pass.
func (s *scope) fillSlots() {
	s.slots = make([]slot, len(s.config.slots))
	for i := range s.in.Predefined {
		if k, ok := s.config.slots[s.in.Predefined[i].Key]; ok {
			s.slots[k].predefined = i + 1
		}
	}
	for i := range s.in.Overrides {
		if k, ok := s.config.slots[s.in.Overrides[i].Key]; ok {
			s.slots[k].override = i + 1
		}
	}
}

// find returns the variable of that name, nil if there is none.
func (s *scope) find(name string) *Variable {
	if s.slots != nil {
		if k, ok := s.config.slots[name]; ok {
			return s.within(name, at(s.in.Overrides, s.slots[k].override), at(s.in.Predefined, s.slots[k].predefined))
		}
	}
	return s.within(name, last(s.in.Overrides, name), last(s.in.Predefined, name))
}

// within looks between an override and a predefined variable of the same name.
func (s *scope) within(name string, override, predefined *Variable) *Variable {
	if override != nil {
		return override
	}
	if v := s.rule.find(name); v != nil {
		return v
	}
	if s.job != nil {
		if v := s.job.own.find(name); v != nil {
			return v
		}
	}
	if s.job == nil || s.job.entry.rootVariables.has(name) {
		if v := s.workflow.find(name); v != nil {
			return v
		}
		if v := s.config.root.find(name); v != nil {
			return v
		}
	}
	if predefined != nil || s.job == nil {
		return predefined
	}
	if name == "CI_ENVIRONMENT_NAME" && s.job.placed && s.job.job.Environment != nil {
		return &Variable{Key: name, Value: s.environmentName(), Raw: true}
	}
	return last(s.job.builtin, name)
}

// environmentName is the name of the job's environment with its variables
// replaced. One that names itself ends there.
func (s *scope) environmentName() string {
	name := s.job.job.Environment.Name
	if s.naming {
		return ""
	}
	s.naming = true
	name = expand.All(name, s.expanded(0))
	s.naming = false
	return name
}

func at(list []Variable, i int) *Variable {
	if i == 0 {
		return nil
	}
	return &list[i-1]
}

func last(list []Variable, name string) *Variable {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Key == name {
			return &list[i]
		}
	}
	return nil
}

// value is the lookup for conditions, which see values as they are written.
func (s *scope) value(name string) (string, bool) {
	if v := s.find(name); v != nil {
		return v.Value, true
	}
	return "", false
}

// References to references can grow exponentially. Values may nest so deep, and
// a pipeline may spend so much on them: their bytes, and something for each.
const (
	maxExpansionDepth = 20
	expansionCost     = 16
	maxExpansion      = 1 << 17
	maxExpansionOfJob = 4 << 10 // more for each job
)

// expanded is the lookup for patterns and tags, which see values with the
// references in them replaced where they are known.
func (s *scope) expanded(depth int) expand.Lookup {
	return func(name string) (string, bool) {
		if s.overrun {
			return "", false
		}
		v := s.find(name)
		if v == nil {
			return "", false
		}
		value := v.Value
		if depth < maxExpansionDepth && refers(*v) {
			value = expand.Existing(value, s.expanded(depth+1))
		}
		if s.spent += len(value) + expansionCost; s.spent > maxExpansion+maxExpansionOfJob*len(s.config.jobs) {
			s.overrun = true
			return "", false
		}
		return value, true
	}
}

// expandAll replaces the variables of texts that are known.
func (s *scope) expandAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = expand.Existing(text, s.expanded(0))
	}
	return out
}

// linked reports whether a variable of the input refers to others: only then
// can the input close a circle that the configuration alone does not have.
func (s *scope) linked() bool {
	return slices.ContainsFunc(s.in.Overrides, refers) || slices.ContainsFunc(s.in.Predefined, refers)
}

// circle returns the names of variables whose values refer to one another in a
// circle, nil if none do. A variable that names itself is no circle: its
// reference is left to the runner.
func (s *scope) circle() []string {
	w := walk{scope: s, seen: map[string]int{}}
	lists := [][]Variable{s.config.root.list, s.workflow.variables(), nil, s.rule.variables(), s.in.Overrides}
	if s.job != nil {
		lists[2] = s.job.own.list
	}
	for _, list := range lists {
		for _, v := range list {
			if refers(v) {
				if circle := w.visit(v.Key); circle != nil {
					return circle
				}
			}
		}
	}
	return nil
}

// walk follows the references of variables.
type walk struct {
	scope *scope
	seen  map[string]int // 1 on the way, 2 done
	way   []string
}

func (w *walk) visit(name string) []string {
	switch w.seen[name] {
	case 1:
		return w.way[slices.Index(w.way, name):]
	case 2:
		return nil
	}
	v := w.scope.find(name)
	if v == nil || !refers(*v) {
		return nil
	}
	w.seen[name] = 1
	w.way = append(w.way, name)
	for _, next := range expand.Names(v.Value) {
		if next == name {
			continue
		}
		if circle := w.visit(next); circle != nil {
			return circle
		}
	}
	w.way = w.way[:len(w.way)-1]
	w.seen[name] = 2
	return nil
}

// overlay returns base with over laid upon it, in new memory; base itself when
// there is nothing to lay upon it.
func overlay(base []Variable, over *varSet) []Variable {
	if over == nil || len(over.list) == 0 {
		return base
	}
	out := append(make([]Variable, 0, len(base)+len(over.list)), base...)
	replaced := 0
	for i := range base {
		if v := over.find(base[i].Key); v != nil {
			out[i] = *v
			replaced++
		}
	}
	if replaced == len(over.list) {
		return out
	}
	has := func(key string) bool { return last(base, key) != nil }
	if len(base)*len(over.list) > 1000 {
		old := newVarSet(base)
		has = func(key string) bool { return old.find(key) != nil }
	}
	for _, v := range over.list {
		if !has(v.Key) {
			out = append(out, v)
		}
	}
	return out
}

// quoteAll writes names as Ruby shows a list of strings.
func quoteAll(names []string) string {
	return `["` + strings.Join(names, `", "`) + `"]`
}
