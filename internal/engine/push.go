package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A RefChange is what a push wants to do to one ref, or did. A missing side is
// ci.ZeroSHA.
type RefChange struct {
	Name   string // full name
	Before string
	After  string
}

// maxPushPipelines is how many refs of one push get a pipeline
// (contract/ci-yaml.md 2.2).
const maxPushPipelines = 4

// CheckPush refuses a push whole if any of its refs may not change so. force
// reports, for refs that exist, whether the change is not a fast-forward.
func (e *Engine) CheckPush(ctx context.Context, c Caller, project ci.Project, changes []RefChange, force func(RefChange) (bool, error)) error {
	actor, err := e.Authorize(ctx, c, project, auth.PushCode)
	if err != nil {
		return err
	}
	protections, err := e.view.Protections(ctx, project.ID)
	if err != nil {
		return fmt.Errorf("read protections of project %d: %w", project.ID, err)
	}
	for _, change := range changes {
		ref := ci.Ref{Name: change.Name}
		if !auth.MayPushRef(actor, ref.Short(), ref.Tag(), protections) {
			return ci.Forbidden(fmt.Sprintf("You are not allowed to push code to protected branches or tags on this project: %s", ref.Short()))
		}
		if change.Before == ci.ZeroSHA {
			continue
		}
		rewrites := change.After == ci.ZeroSHA
		if !rewrites {
			if rewrites, err = force(change); err != nil {
				return fmt.Errorf("compare commits of %s: %w", change.Name, err)
			}
		}
		if rewrites && !auth.MayForcePush(ref.Short(), ref.Tag(), protections) {
			return ci.Forbidden(fmt.Sprintf("You are not allowed to force push or delete protected refs on this project: %s", ref.Short()))
		}
	}
	return nil
}

// A Push is what has changed in a repository, by git or by the API.
type Push struct {
	Project   ci.Project
	Caller    Caller
	Changes   []RefChange
	Skip      bool          // -o ci.skip
	Variables []ci.Variable // -o ci.variable
}

// Pushed writes what changed to the table of refs and starts a pipeline for each
// branch or tag that got a new commit, four at most. A refused pipeline is not an
// error of the push: what can be shown is kept as a failed pipeline.
func (e *Engine) Pushed(ctx context.Context, p Push) ([]ci.Pipeline, error) {
	if err := e.recordRefs(ctx, p.Project, p.Changes); err != nil {
		return nil, err
	}
	actor, err := e.Actor(ctx, p.Caller, p.Project)
	if err != nil {
		return nil, err
	}
	var made []ci.Pipeline
	for _, change := range p.Changes {
		if change.After == ci.ZeroSHA || len(made) == maxPushPipelines || p.Caller.Job != nil {
			continue
		}
		pipeline, err := e.CreatePipeline(ctx, PipelineRequest{
			Project: p.Project, Actor: actor, Source: ci.SourcePush, Ref: change.Name, Before: change.Before,
			Variables: p.Variables, KeepRefused: true, HonorSkip: true, Skip: p.Skip,
		})
		var refusal *ci.Error
		switch {
		case pipeline.ID != 0:
			made = append(made, pipeline)
		case errors.As(err, &refusal):
		case err != nil:
			return made, err
		}
	}
	return made, nil
}

// recordRefs brings the table of refs in step with what changed.
func (e *Engine) recordRefs(ctx context.Context, project ci.Project, changes []RefChange) error {
	var set []ci.Ref
	var removed []string
	for _, change := range changes {
		if change.After == ci.ZeroSHA {
			removed = append(removed, change.Name)
			continue
		}
		sha := change.After
		if (ci.Ref{Name: change.Name}).Tag() { // an annotated tag counts as its commit
			commit, err := e.git.Resolve(ctx, int64(project.ID), change.Name)
			if err != nil {
				return fmt.Errorf("resolve %s of project %d: %w", change.Name, project.ID, err)
			}
			sha = commit
		}
		set = append(set, ci.Ref{ProjectID: project.ID, Name: change.Name, SHA: sha})
	}
	if err := e.store.SetRefs(ctx, project.ID, set, removed); err != nil {
		return fmt.Errorf("record refs of project %d: %w", project.ID, err)
	}
	return nil
}

// CompareRefs brings the table of refs in step with the repositories, for what a
// crash left between git's update and ours (decisions: rows, 14). It runs at start.
func (e *Engine) CompareRefs(ctx context.Context) error {
	ids, err := e.view.ProjectIDs(ctx)
	if err != nil {
		return fmt.Errorf("list projects: %w", err)
	}
	for _, id := range ids {
		found, err := e.git.Refs(ctx, int64(id))
		if err != nil {
			return fmt.Errorf("list refs of project %d: %w", id, err)
		}
		var all []ci.Ref
		for _, ref := range found {
			all = append(all, ci.Ref{ProjectID: id, Name: ref.Name, SHA: ref.SHA})
		}
		changed, err := e.store.ReplaceRefs(ctx, id, all)
		if err != nil {
			return fmt.Errorf("compare refs of project %d: %w", id, err)
		}
		if changed > 0 {
			e.log.InfoContext(ctx, "refs brought in step with the repository", "project_id", int64(id), "changed", changed)
		}
	}
	return nil
}
