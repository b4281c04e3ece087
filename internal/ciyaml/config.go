package ciyaml

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A Config is a configuration that is known to be right and wants an event to
// become a pipeline. It never changes and is safe for concurrent use.
type Config struct {
	pos         tree.Pos
	stages      []string // .pre and .post included
	root        varSet
	workflow    []rule // nil lets every pipeline pass
	workflowPos tree.Pos
	name        string // of pipelines, before its variables are replaced
	namePos     tree.Pos
	autoCancel  AutoCancel
	jobs        []jobSpec // in the order of the file
	order       []int     // of jobs, by stage
	slots       map[string]int
	warnings    Diagnostics
	size        int
}

// Size says how much memory the Config takes, in units of some 100 bytes: its jobs,
// and the variables and needs of each.
func (c *Config) Size() int { return c.size }

// A jobSpec is one instance of a job. Its Job is complete but for what rules,
// workflow and tags with variables change.
type jobSpec struct {
	entry     *jobEntry
	job       Job
	only      *policy
	own       varSet     // the job's variables, then those of the matrix
	matrix    []Variable // those of the matrix alone
	builtin   []Variable // CI_JOB_NAME and its like, below all others
	links     links      // of job.Needs
	ruleLinks map[*rule]*links
	tagged    bool // tags have variables
	placed    bool // the environment or the resource group has
	mayCircle bool // variables refer to one another in a circle, unless others replace them
}

// links is a list of needs with the jobs that they mean.
type links struct {
	needs []Need
	jobs  []int // for each need the job, or -1 when there is none
	pos   []tree.Pos
}

func (l *links) add(need needEntry, name string, at int) {
	l.needs = append(l.needs, Need{Job: name, Artifacts: need.Artifacts, Optional: need.Optional})
	l.jobs = append(l.jobs, at)
	l.pos = append(l.pos, need.pos)
}

// A varSet is variables with unique keys and an index by key.
type varSet struct {
	list   []Variable
	index  map[string]int
	linked bool // some value refers to variables
}

// newVarSet makes a set of variables that a part of the configuration sets.
func newVarSet(layer Layers, list []Variable) varSet {
	var s varSet
	s.lay(layer, list)
	return s
}

// lay lays more variables over those of the set, later ones over earlier ones.
// Keys keep the place where they first appeared.
func (s *varSet) lay(layer Layers, list []Variable) {
	for _, v := range list {
		if s.index == nil {
			s.index = make(map[string]int)
		}
		s.linked = s.linked || refers(v)
		v.Layers |= layer
		if i, ok := s.index[v.Key]; ok {
			v.Layers |= s.list[i].Layers
			s.list[i] = v
			continue
		}
		s.index[v.Key] = len(s.list)
		s.list = append(s.list, v)
	}
}

// find returns the variable of that name, nil if there is none or no set.
func (s *varSet) find(name string) *Variable {
	if s == nil {
		return nil
	}
	if i, ok := s.index[name]; ok {
		return &s.list[i]
	}
	return nil
}

func (s *varSet) variables() []Variable {
	if s == nil {
		return nil
	}
	return s.list
}

func (s *varSet) refers() bool { return s != nil && s.linked }

// refers reports whether the value of v has references that are expanded.
func refers(v Variable) bool {
	return !v.Raw && !v.File && strings.ContainsAny(v.Value, "$%") && len(expand.Names(v.Value)) > 0
}

// maxSize bounds what parallel, root variables and needs make of a
// configuration that is small itself. It counts jobs, and the variables and
// needs of each; ten thousand jobs of a hundred variables are half of it.
const maxSize = 2_000_000

// An assembly makes a Config of entries.
type assembly struct {
	*Config
	byName    map[string]int   // jobs by their full name
	instances map[string][]int // of a parallel job, by its key
}

// assemble multiplies the jobs by parallel, checks how they depend on one
// another and prepares what every pipeline needs.
func assemble(pos tree.Pos, e *rootEntries) (*Config, Diagnostics) {
	c := &Config{
		pos: pos, stages: e.stages, root: newVarSet(LayerGlobal, e.variables), workflow: e.rules, workflowPos: e.workflowPos,
		name: e.name, namePos: e.namePos, autoCancel: e.autoCancel,
	}
	for i := range c.workflow {
		for k := range c.workflow[i].variables.list {
			c.workflow[i].variables.list[k].Layers = LayerWorkflow
		}
	}
	a := &assembly{Config: c, byName: make(map[string]int, len(e.jobs)), instances: make(map[string][]int)}
	for _, job := range e.jobs {
		if a.expandJob(job); a.size > maxSize {
			return nil, configError(job.job.Pos, errTotalSize)
		}
	}
	if diags := a.checkJobs(); diags != nil {
		return nil, diags
	}
	c.order = make([]int, len(c.jobs))
	for i := range c.order {
		c.order[i] = i
	}
	slices.SortStableFunc(c.order, func(x, y int) int { return c.jobs[x].job.StageIndex - c.jobs[y].job.StageIndex })
	for i := range c.jobs {
		c.prepare(&c.jobs[i])
	}
	c.indexNames()
	return c, nil
}

// expandJob adds all instances of a job.
func (a *assembly) expandJob(e *jobEntry) {
	stage := slices.Index(a.stages, e.job.Stage)
	if e.parallel == nil {
		a.add(jobSpec{entry: e, job: e.job, own: newVarSet(LayerJob, e.variables)}, "", stage)
		return
	}
	for i, instance := range e.parallel.instances() {
		spec := jobSpec{entry: e, job: e.job, own: newVarSet(LayerJob, e.variables), matrix: instance.variables}
		spec.own.lay(LayerMatrix, instance.variables)
		spec.job.NodeIndex, spec.job.NodeTotal = i+1, e.parallel.total
		if at := a.add(spec, instance.suffix, stage); !slices.Contains(a.instances[e.job.BaseName], at) {
			a.instances[e.job.BaseName] = append(a.instances[e.job.BaseName], at)
		}
		if a.size > maxSize {
			return
		}
	}
}

// add adds one job and returns its place. Of two jobs that get the same name
// the later takes the place of the earlier.
func (a *assembly) add(spec jobSpec, suffix string, stage int) int {
	spec.job.Name = spec.job.BaseName + suffix
	spec.job.GroupName = groupName(spec.job.BaseName)
	spec.job.StageIndex = stage
	a.size += 1 + len(spec.own.list)
	if len(spec.own.list) > 0 || spec.entry.ruleVariables {
		a.size += len(a.root.list) // copied: prepare, Pipeline
	}
	at, taken := a.byName[spec.job.Name]
	if !taken {
		at = len(a.jobs)
		a.byName[spec.job.Name] = at
		a.jobs = append(a.jobs, jobSpec{})
	}
	a.jobs[at] = spec
	return at
}

// find returns the jobs that a name means: one, or all instances of a parallel
// one.
func (a *assembly) find(name string) []int {
	if i, ok := a.byName[name]; ok {
		return []int{i}
	}
	return a.instances[name]
}

// groupName cuts what looks like the suffix of a parallel job, since people
// also write such names by hand.
func groupName(name string) string {
	for {
		cut := name
		if head, inner, ok := cutLast(name, ": ["); ok && strings.HasSuffix(inner, "]") {
			cut = head
		} else if head, tail, ok := cutLast(name, " "); ok && isFraction(tail) {
			cut = head
		}
		if cut == name || cut == "" {
			return name
		}
		name = strings.TrimRight(cut, " ")
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func isFraction(s string) bool {
	a, b, ok := strings.Cut(s, "/")
	return ok && a != "" && b != "" && strings.Trim(a+b, "0123456789") == ""
}

// prepare computes what is the same in every pipeline.
func (c *Config) prepare(spec *jobSpec) {
	job, e := &spec.job, spec.entry
	spec.only = e.only
	if spec.only == nil && !e.hasRules && c.workflow == nil {
		spec.only = branchesAndTags()
	}
	for _, tag := range job.Tags {
		spec.tagged = spec.tagged || len(expand.Names(tag)) > 0
	}
	if environment := job.Environment; environment != nil {
		spec.placed = environment.expandable()
	}
	spec.placed = spec.placed || len(expand.Names(job.ResourceGroup)) > 0
	job.Variables = overlay(e.inherited(c.root.list), &spec.own)
	add := func(key, value string) {
		spec.builtin = append(spec.builtin, Variable{Key: key, Value: value, Raw: true})
	}
	add("CI_JOB_NAME", job.Name)
	add("CI_JOB_NAME_SLUG", slug(job.Name))
	add("CI_JOB_GROUP_NAME", job.GroupName)
	add("CI_JOB_STAGE", job.Stage)
	add("CI_NODE_TOTAL", strconv.Itoa(job.NodeTotal))
	if job.NodeIndex > 0 {
		add("CI_NODE_INDEX", strconv.Itoa(job.NodeIndex))
	}
	if job.Image != nil {
		add("CI_JOB_IMAGE", job.Image.Name)
	}
	if job.When == "manual" {
		add("CI_JOB_MANUAL", "true")
	}
	if environment := job.Environment; environment != nil {
		add("CI_ENVIRONMENT_NAME", environment.Name)
		add("CI_ENVIRONMENT_SLUG", EnvironmentSlug(environment.Name))
		add("CI_ENVIRONMENT_ACTION", environment.Action)
		add("CI_ENVIRONMENT_TIER", cmp.Or(environment.Tier, EnvironmentTier(environment.Name)))
		if environment.URL != "" {
			add("CI_ENVIRONMENT_URL", environment.URL)
		}
	}
	s := scope{config: c, in: &Input{}, job: spec}
	spec.mayCircle = (c.root.linked || spec.own.linked) && s.circle() != nil
}

// slug is GitLab's form of a name for use in addresses.
func slug(name string) string {
	b := []byte(strings.ToLower(name))
	for i, x := range b {
		if !(x >= 'a' && x <= 'z' || x >= '0' && x <= '9') {
			b[i] = '-'
		}
	}
	return strings.Trim(string(b[:min(len(b), 63)]), "-")
}

// indexNames numbers the variables that conditions, patterns and tags name, so
// that a pipeline looks each of them up in its input only once.
func (c *Config) indexNames() {
	c.slots = make(map[string]int)
	add := func(list []string) {
		for _, name := range list {
			if _, ok := c.slots[name]; !ok {
				c.slots[name] = len(c.slots)
			}
		}
	}
	addPatterns := func(p *patterns) { add(p.names()) }
	addRules := func(rules []rule) {
		for i := range rules {
			if rules[i].condition != nil {
				add(rules[i].condition.Variables())
			}
			addPatterns(rules[i].changes)
			addPatterns(rules[i].exists)
		}
	}
	addRules(c.workflow)
	add(expand.Names(c.name))
	for i := range c.jobs {
		e := c.jobs[i].entry
		addRules(e.rules)
		for _, p := range []*policy{e.only, e.except} {
			if p == nil {
				continue
			}
			for _, condition := range p.variables {
				add(condition.Variables())
			}
			addPatterns(p.changes)
		}
		for _, tag := range c.jobs[i].job.Tags {
			add(expand.Names(tag))
		}
		add(expand.Names(c.jobs[i].job.ResourceGroup))
		if environment := c.jobs[i].job.Environment; environment != nil {
			add(expand.Names(environment.Name))
		}
	}
}
