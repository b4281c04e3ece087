package ciyaml

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// maxNeeds is how many jobs one job may need.
const maxNeeds = 50

// checkJobs makes the checks between jobs, in the order of the file: of each
// its stage, its dependencies, its needs and those of its rules, the job whose
// artifact is a child's configuration, and the job that stops its environment;
// and after all of them, that needs run in no circle. The first failure is the
// only one reported.
func (a *assembly) checkJobs() Diagnostics {
	for i := range a.jobs {
		spec := &a.jobs[i]
		if diags := a.checkStage(spec); diags != nil {
			return diags
		}
		if diags := a.linkDependencies(spec); diags != nil {
			return diags
		}
		if diags := a.linkNeeds(spec); diags != nil {
			return diags
		}
		if diags := a.checkTrigger(spec); diags != nil {
			return diags
		}
		if diags := a.checkOnStop(spec); diags != nil {
			return diags
		}
		if a.size > maxSize {
			return configError(spec.job.Pos, errTotalSize)
		}
	}
	return a.circle(func(i int) *links { return &a.jobs[i].links })
}

func (c *Config) checkStage(spec *jobSpec) Diagnostics {
	if spec.job.StageIndex >= 0 {
		return nil
	}
	d := configError(spec.entry.stagePos, fmt.Sprintf("%s job: chosen stage %s does not exist; available stages are %s",
		spec.job.Name, spec.job.Stage, strings.Join(c.stages, ", ")))
	d[0].Hint = didYouMean(spec.job.Stage, c.stages)
	return d
}

// linkDependencies turns the names in dependencies into those of jobs.
func (a *assembly) linkDependencies(spec *jobSpec) Diagnostics {
	e := spec.entry
	if e.dependencies == nil {
		return nil
	}
	spec.job.Dependencies = make([]string, 0, len(e.dependencies))
	for _, dep := range e.dependencies {
		names, diags := a.dependency(spec, dep)
		if diags != nil {
			return diags
		}
		spec.job.Dependencies = append(spec.job.Dependencies, names...)
	}
	return nil
}

// dependency returns the jobs that the name of a dependency means.
func (a *assembly) dependency(spec *jobSpec, dep nameEntry) ([]string, Diagnostics) {
	found := a.find(dep.name)
	if len(found) == 0 {
		d := configError(dep.pos, fmt.Sprintf("%s job: undefined dependency: %s", spec.job.Name, dep.name))
		d[0].Hint = didYouMean(dep.name, a.baseNames())
		return nil, d
	}
	a.size += len(found)
	names := make([]string, len(found))
	for k, i := range found {
		if a.jobs[i].job.StageIndex > spec.job.StageIndex {
			return nil, configError(dep.pos, fmt.Sprintf("%s job: dependency %s is not defined in current or prior stages",
				spec.job.Name, a.jobs[i].job.Name))
		}
		names[k] = a.jobs[i].job.Name
	}
	return names, nil
}

// linkNeeds turns the names in needs, and in those of rules, into jobs.
func (a *assembly) linkNeeds(spec *jobSpec) Diagnostics {
	own, diags := a.link(spec, spec.entry.needs)
	if diags != nil {
		return diags
	}
	spec.links, spec.job.Needs = own, own.needs
	for i := range spec.entry.rules {
		r := &spec.entry.rules[i]
		if !r.hasNeeds {
			continue
		}
		linked, diags := a.link(spec, r.needs)
		if diags != nil {
			return diags
		}
		if spec.ruleLinks == nil {
			spec.ruleLinks = make(map[*rule]*links)
		}
		spec.ruleLinks[r] = &linked
	}
	return nil
}

// link turns names into jobs.
func (a *assembly) link(spec *jobSpec, needs []needEntry) (links, Diagnostics) {
	var out links
	a.size += len(needs)
	for _, need := range needs {
		if a.size > maxSize {
			return out, configError(spec.job.Pos, errTotalSize)
		}
		wanted, diags := spec.needName(need)
		if diags != nil {
			return out, diags
		}
		found := a.find(wanted)
		if len(found) == 0 {
			if need.Optional {
				out.add(need, wanted, -1)
				continue
			}
			d := configError(need.pos, fmt.Sprintf("%s job: undefined need: %s", spec.job.Name, wanted))
			d[0].Hint = didYouMean(wanted, a.baseNames())
			return out, d
		}
		a.size += len(found)
		for _, i := range found {
			name := a.jobs[i].job.Name
			if a.jobs[i].job.StageIndex > spec.job.StageIndex {
				return out, configError(need.pos, fmt.Sprintf("%s job: need %s is not defined in current or prior stages", spec.job.Name, name))
			}
			if utf8.RuneCountInString(name) > maxName {
				return out, configError(need.pos, fmt.Sprintf("%s job: need `%s` name %s", spec.job.Name, name, tooLongName))
			}
			out.add(need, name, i)
		}
	}
	return out, out.checkRepeated(spec.job.Name)
}

// matrixExpression is how needs:parallel names a value of the job's own matrix.
var matrixExpression = regexp.MustCompile(`\$\[\[\s*matrix\.([A-Za-z0-9_-]+)\s*\]\]`)

// needName is the name of a needed job, with the values of the matrix of the
// instance that needs it.
func (spec *jobSpec) needName(need needEntry) (string, Diagnostics) {
	if !need.matrix || !strings.Contains(need.Job, "$[[") {
		return need.Job, nil
	}
	var diags Diagnostics
	name := matrixExpression.ReplaceAllStringFunc(need.Job, func(block string) string {
		key := matrixExpression.FindStringSubmatch(block)[1]
		if v := last(spec.matrix, key); v != nil {
			return v.Value
		}
		if diags == nil {
			diags = configError(need.pos, fmt.Sprintf("%s job: unknown interpolation key: `%s`", spec.job.Name, key))
			diags[0].Hint = "the job's own matrix has no such key"
		}
		return block
	})
	return name, diags
}

func (l *links) checkRepeated(job string) Diagnostics {
	seen := make(map[string]bool, len(l.needs))
	var repeated []string
	var pos tree.Pos
	for i, need := range l.needs {
		if seen[need.Job] && !slices.Contains(repeated, need.Job) {
			if repeated == nil {
				pos = l.pos[i]
			}
			repeated = append(repeated, need.Job)
		}
		seen[need.Job] = true
	}
	if repeated == nil {
		return nil
	}
	return configError(pos, fmt.Sprintf("%s has the following needs duplicated: %s.", job, strings.Join(repeated, ", ")))
}

// checkTrigger checks the jobs that make the configuration of a child.
func (a *assembly) checkTrigger(spec *jobSpec) Diagnostics {
	if spec.job.Trigger == nil {
		return nil
	}
	for _, include := range spec.job.Trigger.Include {
		if include.Job == "" {
			continue
		}
		if _, diags := a.dependency(spec, nameEntry{include.Job, spec.job.Pos}); diags != nil {
			return diags
		}
	}
	return nil
}

// checkOnStop checks the job that stops the environment.
func (a *assembly) checkOnStop(spec *jobSpec) Diagnostics {
	environment := spec.job.Environment
	if environment == nil || environment.OnStop == "" {
		return nil
	}
	problem, hint := "", ""
	found := a.find(environment.OnStop)
	if len(found) == 0 {
		problem, hint = "is not defined", didYouMean(environment.OnStop, a.baseNames())
	} else {
		switch stop := a.jobs[found[0]].job.Environment; {
		case stop == nil:
			problem = "does not have environment defined"
		case stop.Name != environment.Name:
			problem = "have different environment name"
		case stop.Action != "stop":
			problem = "needs to have action stop defined"
		}
	}
	if problem == "" {
		return nil
	}
	d := configError(spec.entry.environmentPos, fmt.Sprintf("%s job: on_stop job %s %s", spec.job.Name, environment.OnStop, problem))
	d[0].Hint = hint
	return d
}

// baseNames lists the keys of all jobs, for hints.
func (c *Config) baseNames() []string {
	out := make([]string, 0, len(c.jobs))
	for i := range c.jobs {
		out = append(out, c.jobs[i].job.BaseName)
	}
	return out
}

// circle walks along the needs of all jobs and stops at the first job that it
// meets again on its way. A nil list is that of a job that is not there.
func (c *Config) circle(needsOf func(i int) *links) Diagnostics {
	w := circleWalk{config: c, needsOf: needsOf, done: make([]bool, len(c.jobs)), at: make(map[int]int)}
	for i := range c.jobs {
		if diags := w.visit(i); diags != nil {
			return diags
		}
	}
	return nil
}

// circleWalk is one walk along needs.
type circleWalk struct {
	config  *Config
	needsOf func(i int) *links
	done    []bool
	way     []string
	at      map[int]int // of the jobs on the way, from 0
}

func (w *circleWalk) visit(i int) Diagnostics {
	list := w.needsOf(i)
	if w.done[i] || list == nil {
		return nil
	}
	w.at[i] = len(w.way)
	w.way = append(w.way, w.config.jobs[i].job.Name)
	for k, next := range list.jobs {
		if next < 0 {
			continue
		}
		if at, open := w.at[next]; open {
			d := configError(list.pos[k], "The pipeline has circular dependencies")
			d[0].Hint = short(strings.Join(append(w.way[at:], w.config.jobs[next].job.Name), " needs "))
			return d
		}
		if diags := w.visit(next); diags != nil {
			return diags
		}
	}
	delete(w.at, i)
	w.done[i] = true
	w.way = w.way[:len(w.way)-1]
	return nil
}
