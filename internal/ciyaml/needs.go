package ciyaml

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// maxNeeds is how many jobs one job may need.
const maxNeeds = 50

// checkJobs makes the checks between jobs, in the order of the file: of each
// its stage, its dependencies, its needs; and after all of them, that needs
// run in no circle. The first failure is the only one reported.
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
		if a.size > maxSize {
			return configError(spec.job.Pos, errTotalSize)
		}
	}
	return a.checkCircle()
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
		found := a.find(dep.name)
		if len(found) == 0 {
			d := configError(dep.pos, fmt.Sprintf("%s job: undefined dependency: %s", spec.job.Name, dep.name))
			d[0].Hint = didYouMean(dep.name, a.baseNames())
			return d
		}
		a.size += len(found)
		for _, i := range found {
			if a.jobs[i].job.StageIndex > spec.job.StageIndex {
				return configError(dep.pos, fmt.Sprintf("%s job: dependency %s is not defined in current or prior stages",
					spec.job.Name, a.jobs[i].job.Name))
			}
			spec.job.Dependencies = append(spec.job.Dependencies, a.jobs[i].job.Name)
		}
	}
	return nil
}

// linkNeeds turns the names in needs into jobs.
func (a *assembly) linkNeeds(spec *jobSpec) Diagnostics {
	for _, need := range spec.entry.needs {
		found := a.find(need.Job)
		if len(found) == 0 {
			if need.Optional {
				spec.addNeed(need, need.Job, -1)
				continue
			}
			d := configError(need.pos, fmt.Sprintf("%s job: undefined need: %s", spec.job.Name, need.Job))
			d[0].Hint = didYouMean(need.Job, a.baseNames())
			return d
		}
		a.size += len(found)
		for _, i := range found {
			name := a.jobs[i].job.Name
			if a.jobs[i].job.StageIndex > spec.job.StageIndex {
				return configError(need.pos, fmt.Sprintf("%s job: need %s is not defined in current or prior stages", spec.job.Name, name))
			}
			if utf8.RuneCountInString(name) > maxName {
				return configError(need.pos, fmt.Sprintf("%s job: need `%s` name %s", spec.job.Name, name, tooLongName))
			}
			spec.addNeed(need, name, i)
		}
	}
	return spec.checkRepeated()
}

func (spec *jobSpec) addNeed(need needEntry, name string, at int) {
	spec.job.Needs = append(spec.job.Needs, Need{Job: name, Artifacts: need.Artifacts, Optional: need.Optional})
	spec.needs = append(spec.needs, at)
	spec.needPos = append(spec.needPos, need.pos)
}

func (spec *jobSpec) checkRepeated() Diagnostics {
	seen := make(map[string]bool, len(spec.job.Needs))
	var repeated []string
	var pos tree.Pos
	for i, need := range spec.job.Needs {
		if seen[need.Job] && !slices.Contains(repeated, need.Job) {
			if repeated == nil {
				pos = spec.needPos[i]
			}
			repeated = append(repeated, need.Job)
		}
		seen[need.Job] = true
	}
	if repeated == nil {
		return nil
	}
	return configError(pos, fmt.Sprintf("%s has the following needs duplicated: %s.", spec.job.Name, strings.Join(repeated, ", ")))
}

// baseNames lists the keys of all jobs, for hints.
func (c *Config) baseNames() []string {
	out := make([]string, 0, len(c.jobs))
	for i := range c.jobs {
		out = append(out, c.jobs[i].job.BaseName)
	}
	return out
}

// checkCircle walks along needs and stops at the first job that it meets again
// on its way.
func (c *Config) checkCircle() Diagnostics {
	const (
		unseen = iota
		open
		done
	)
	state := make([]uint8, len(c.jobs))
	var way []string
	var visit func(i int) Diagnostics
	visit = func(i int) Diagnostics {
		state[i] = open
		way = append(way, c.jobs[i].job.Name)
		for k, next := range c.jobs[i].needs {
			switch {
			case next < 0 || state[next] == done:
			case state[next] == open:
				way = append(way[slices.Index(way, c.jobs[next].job.Name):], c.jobs[next].job.Name)
				d := configError(c.jobs[i].needPos[k], "The pipeline has circular dependencies")
				d[0].Hint = short(strings.Join(way, " needs "))
				return d
			default:
				if diags := visit(next); diags != nil {
					return diags
				}
			}
		}
		state[i] = done
		way = way[:len(way)-1]
		return nil
	}
	for i := range c.jobs {
		if state[i] == unseen {
			if diags := visit(i); diags != nil {
				return diags
			}
		}
	}
	return nil
}
