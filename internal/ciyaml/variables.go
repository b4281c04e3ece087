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
	slots    []int       // by Config.slots, places in the predefined variables of the input; as in overrideSet
	base     overrideSet // for workflow rules and jobs without an environment
	scoped   *overrideSet
	scopes   map[string]*overrideSet // by environment, those that jobs had so far
	workflow *varSet
	job      *jobSpec
	rule     *varSet
	spent    int  // on values put into texts so far
	overrun  bool // that was too much
	iid      *Variable
	numbered bool // iid was asked for
	naming   bool // the name of the environment is being made
}

// An overrideSet is variables that lie above those of the configuration. slots
// says of each variable that the configuration names where it is in the list,
// counted from 1; 0 is nowhere.
type overrideSet struct {
	list   []Variable
	slots  []int
	linked bool // some value refers to variables
}

func (c *Config) newOverrideSet(list []Variable) overrideSet {
	return overrideSet{list: list, slots: c.places(list), linked: slices.ContainsFunc(list, refers)}
}

// places finds the variables that the configuration names, in one pass.
func (c *Config) places(list []Variable) []int {
	slots := make([]int, len(c.slots))
	for i := range list {
		if k, ok := c.slots[list[i].Key]; ok {
			slots[k] = i + 1
		}
	}
	return slots
}

// fillSlots finds the variables that the configuration names.
func (s *scope) fillSlots() {
	s.slots = s.config.places(s.in.Predefined)
	s.base = s.config.newOverrideSet(s.in.Overrides)
}

// enter makes a job, with a rule or none, the one that variables are looked up
// for. If it has an environment, the overrides are those for it; the name of the
// environment itself is made without them.
func (s *scope) enter(job *jobSpec, rule *varSet) {
	s.job, s.rule, s.scoped = job, rule, nil
	if s.in.OverridesIn == nil || job.job.Environment == nil {
		return
	}
	name := s.environmentName()
	set := s.scopes[name]
	if set == nil {
		made := s.config.newOverrideSet(s.in.OverridesIn(name))
		set = &made
		if s.scopes == nil {
			s.scopes = make(map[string]*overrideSet)
		}
		s.scopes[name] = set
	}
	s.scoped = set
}

// overrides are those that count now.
func (s *scope) overrides() *overrideSet {
	if s.scoped != nil && !s.naming {
		return s.scoped
	}
	return &s.base
}

// find returns the variable of that name, nil if there is none.
func (s *scope) find(name string) *Variable {
	set := s.overrides()
	if s.slots != nil {
		if k, ok := s.config.slots[name]; ok {
			return s.within(name, at(set.list, set.slots[k]), at(s.in.Predefined, s.slots[k]))
		}
	}
	return s.within(name, last(set.list, name), last(s.in.Predefined, name))
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
	if predefined == nil && name == "CI_PIPELINE_IID" && s.in.IID != nil {
		return s.pipelineIID()
	}
	if predefined != nil || s.job == nil {
		return predefined
	}
	if v := s.environmentVariable(name); v != nil {
		return v
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

// pipelineIID asks the input once.
func (s *scope) pipelineIID() *Variable {
	if !s.numbered {
		s.numbered = true
		if value, ok := s.in.IID(); ok {
			s.iid = &Variable{Key: "CI_PIPELINE_IID", Value: value, Raw: true}
		}
	}
	return s.iid
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
	return s.base.linked || slices.ContainsFunc(s.in.Predefined, refers)
}

// circle returns the names of variables whose values refer to one another in a
// circle, nil if none do. A variable that names itself is no circle: its
// reference is left to the runner.
func (s *scope) circle() []string {
	w := walk{scope: s, seen: map[string]int{}}
	lists := [][]Variable{s.config.root.list, s.workflow.variables(), nil, s.rule.variables(), s.overrides().list}
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
			out[i].Layers |= base[i].Layers
			replaced++
		}
	}
	if replaced == len(over.list) {
		return out
	}
	has := func(key string) bool { return last(base, key) != nil }
	if len(base)*len(over.list) > 1000 {
		old := newVarSet(0, base)
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
