package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A RefChange is what a push wants to do to one ref, or did. A missing side is
// ci.ZeroSHA; a tag's side may be a tag object.
type RefChange struct {
	Name   string // full name
	Before string
	After  string
}

// MaxPushPipelines is how many refs of one push get a pipeline
// (contract/ci-yaml.md 2.2).
const MaxPushPipelines = 4

// A Push is what has changed in a repository, by git or by the API.
type Push struct {
	Project    ci.Project
	Caller     Caller
	Changes    []RefChange
	Skip       bool          // -o ci.skip
	NoPipeline bool          // -o ci.no_pipeline
	Variables  []ci.Variable // -o ci.variable
	Inputs     []ci.Input    // -o ci.input
}

// A PushedRef is what became of a ref that was to get a pipeline.
type PushedRef struct {
	Name     string      // full name of the ref
	Pipeline ci.Pipeline // its ID is zero when there is none
	Refusal  *ci.Error   // why there is none, or why it has failed at once
}

// Pushed writes what changed to the table of refs and starts a pipeline for each
// branch or tag that got a new commit, for the first four of them. A refused
// pipeline is not an error of the push: what can be shown is kept as a failed
// pipeline.
func (e *Engine) Pushed(ctx context.Context, p Push) ([]PushedRef, error) {
	names := make([]string, 0, len(p.Changes))
	for _, change := range p.Changes {
		names = append(names, change.Name)
	}
	if err := e.recordRefs(ctx, p.Project.ID, names); err != nil {
		return nil, err
	}
	var err error
	if p.Project, err = e.adoptBranch(ctx, p.Project); err != nil {
		return nil, err
	}
	if p.NoPipeline || p.Caller.Job != nil {
		return nil, nil
	}
	actor, err := e.Actor(ctx, p.Caller, p.Project)
	if err != nil {
		return nil, err
	}
	var results []PushedRef
	for _, change := range p.Changes {
		if len(results) == MaxPushPipelines {
			break
		}
		change, err := e.commitsOf(ctx, p.Project.ID, change)
		if err != nil {
			return results, err
		}
		if change.After == ci.ZeroSHA {
			continue
		}
		pipeline, err := e.CreatePipeline(ctx, PipelineRequest{
			Project: p.Project, Actor: actor, Source: ci.SourcePush, Ref: change.Name, SHA: change.After, Before: change.Before,
			Variables: p.Variables, Inputs: p.Inputs, KeepRefused: true, HonorSkip: true, Skip: p.Skip,
		})
		refusal, err := refusalOfPush(err)
		if err != nil {
			return results, err
		}
		results = append(results, PushedRef{Name: change.Name, Pipeline: pipeline, Refusal: refusal})
	}
	return results, nil
}

// refusalOfPush tells what a user did from what the server could not do.
func refusalOfPush(err error) (*ci.Error, error) {
	var refusal *ci.Error
	switch kind := ci.KindOf(err); {
	case kind == "" || kind == ci.KindUnavailable || kind == ci.KindConflict:
		return nil, err
	case errors.As(err, &refusal):
	}
	return refusal, nil
}

// commitsOf gives a change in commits, as pipelines have it: tag objects peeled, and
// ci.ZeroSHA for what is no commit, which is all that is neither branch nor tag.
func (e *Engine) commitsOf(ctx context.Context, project ci.ProjectID, change RefChange) (RefChange, error) {
	if !isBranchOrTag(change.Name) {
		return RefChange{change.Name, ci.ZeroSHA, ci.ZeroSHA}, nil
	}
	for _, side := range []*string{&change.Before, &change.After} {
		if *side == ci.ZeroSHA {
			continue
		}
		commit, err := e.git.Resolve(ctx, int64(project), *side)
		switch {
		case errors.Is(err, git.ErrNotExist):
			commit = ci.ZeroSHA
		case err != nil:
			return change, fmt.Errorf("resolve %s of project %d: %w", change.Name, project, err)
		}
		*side = commit
	}
	return change, nil
}

// recordRefs brings the table of refs in step with the repository for some refs, by
// full name. Others may push at the same moment, so it looks again after it has
// written: whoever writes last has then seen the last value.
func (e *Engine) recordRefs(ctx context.Context, project ci.ProjectID, names []string) error {
	found, err := e.refsNow(ctx, project, names)
	for range maxTries {
		if err != nil {
			return fmt.Errorf("read refs of project %d: %w", project, err)
		}
		var set []ci.Ref
		var removed []string
		for _, name := range names {
			if sha := found[name]; sha != "" {
				set = append(set, ci.Ref{ProjectID: project, Name: name, SHA: sha})
			} else {
				removed = append(removed, name)
			}
		}
		if err := e.store.SetRefs(ctx, project, set, removed); err != nil {
			return fmt.Errorf("record refs of project %d: %w", project, err)
		}
		before := found
		if found, err = e.refsNow(ctx, project, names); err == nil && maps.Equal(before, found) {
			return nil
		}
	}
	return ci.Busy("refs of project %d keep moving", project)
}

// isBranchOrTag tells the refs that pipelines run on from others, such as notes.
func isBranchOrTag(name string) bool {
	return strings.HasPrefix(name, ci.BranchPrefix) || strings.HasPrefix(name, ci.TagPrefix)
}

// manyRefs is from where on one list of all refs is cheaper than a question for each.
const manyRefs = 200

// refsNow reads the commits of those branches and tags among names that the
// repository has.
func (e *Engine) refsNow(ctx context.Context, project ci.ProjectID, names []string) (map[string]string, error) {
	found := map[string]string{}
	if len(names) > manyRefs {
		wanted := map[string]bool{}
		for _, name := range names {
			wanted[name] = true
		}
		all, err := e.git.Refs(ctx, int64(project))
		for _, ref := range all {
			if wanted[ref.Name] && ref.Commit != "" {
				found[ref.Name] = ref.Commit
			}
		}
		return found, err
	}
	for _, name := range names {
		if !isBranchOrTag(name) {
			continue
		}
		ref, err := e.git.Ref(ctx, int64(project), name)
		switch {
		case errors.Is(err, git.ErrNotExist):
		case err != nil:
			return nil, err
		case ref.Commit != "":
			found[name] = ref.Commit
		}
	}
	return found, nil
}

// repositoryRefs gives the refs of a repository as the table is to hold them.
func repositoryRefs(ctx context.Context, repositories *git.Server, id ci.ProjectID) (refs []ci.Ref, err error) {
	found, err := repositories.Refs(ctx, int64(id))
	for _, ref := range found {
		if ref.Commit != "" { // a tag of something else is no ref that pipelines run on
			refs = append(refs, ci.Ref{ProjectID: id, Name: ref.Name, SHA: ref.Commit})
		}
	}
	return refs, err
}

// CompareRefs brings the table of refs in step with the repositories, for what a
// crash left between git's update and ours (decisions: rows, 14). It runs at start,
// when other servers may be at work. A project without a repository gets one if it
// never had any refs, since a crash came between its row and its repository; else it
// is reported and passed over: it must not keep the others from being served.
func (e *Engine) CompareRefs(ctx context.Context) error {
	ids, err := e.view.ProjectIDs(ctx)
	if err != nil {
		return fmt.Errorf("list projects: %w", err)
	}
	for _, id := range ids {
		err := e.compareRefs(ctx, id)
		if ci.IsNotFound(err) { // another server has deleted it meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("compare refs of project %d: %w", id, err)
		}
	}
	return nil
}

// compareRefs is CompareRefs for one project. Like recordRefs, it looks again after
// it has written, since another server may take a push at the same moment.
func (e *Engine) compareRefs(ctx context.Context, id ci.ProjectID) error {
	for range maxTries {
		all, err := repositoryRefs(ctx, e.git, id)
		if errors.Is(err, git.ErrNoRepository) {
			return e.finishProject(ctx, id)
		}
		if err != nil {
			return err
		}
		changed, err := e.store.ReplaceRefs(ctx, id, all)
		if changed == 0 || err != nil {
			return err
		}
		e.log.InfoContext(ctx, "refs brought in step with the repository", "project_id", int64(id), "changed", changed)
	}
	return ci.Busy("refs of project %d keep moving", id)
}
