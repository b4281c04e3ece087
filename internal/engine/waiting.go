package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// WaitingReason says in a few words why a job of a project has not begun: who holds
// its resource group, which runner is missing, or how many jobs with the same tags
// are before it. It is empty for jobs that wait for neither. The words are ours;
// they may change.
func (e *Engine) WaitingReason(ctx context.Context, project ci.Project, job ci.Job) (string, error) {
	switch job.Status {
	case ci.WaitingForResource:
		return e.waitingForResource(ctx, job)
	case ci.Pending:
		return e.waitingForRunner(ctx, project, job)
	}
	return "", nil
}

func (e *Engine) waitingForResource(ctx context.Context, job ci.Job) (string, error) {
	group, err := e.view.ResourceGroup(ctx, job.ProjectID, job.Plan.ResourceGroup)
	switch {
	case err != nil:
		return "", err
	case group.Holder != 0:
		return fmt.Sprintf("resource group %s is held by #%d", group.Key, group.Holder), nil
	}
	next, _, err := e.view.UpcomingJobs(ctx, group, 1, 0)
	if err != nil || len(next) == 0 || next[0].ID == job.ID {
		return fmt.Sprintf("resource group %s is free, and this job is next", group.Key), err
	}
	return fmt.Sprintf("resource group %s is kept for #%d", group.Key, next[0].ID), nil
}

func (e *Engine) waitingForRunner(ctx context.Context, project ci.Project, job ci.Job) (string, error) {
	if project.BuildsAccess == ci.AccessDisabled {
		return "CI/CD is off in this project", nil
	}
	paused := false
	online, _, err := e.view.Runners(ctx, store.RunnerFilter{ProjectID: project.ID, Status: "online", Paused: &paused})
	if err != nil {
		return "", err
	}
	online = slices.DeleteFunc(online, func(r ci.Runner) bool { return r.Type == ci.InstanceRunner && !project.SharedRunners })
	if missing := missingRunner(online, job); missing != "" {
		return missing, nil
	}
	switch ahead, err := e.view.PendingBefore(ctx, job.Queue().Key(), job.ID); {
	case err != nil:
		return "", err
	case ahead == 0:
		return "next for a runner", nil
	case ahead == 1:
		return "1 job ahead", nil
	default:
		return fmt.Sprintf("%d jobs ahead", ahead), nil
	}
}

// missingRunner says what no runner among those of a project can do that a job asks
// for, "" when one can do all.
func missingRunner(online []ci.Runner, job ci.Job) string {
	if slices.ContainsFunc(online, func(r ci.Runner) bool { return r.May(job.Tags, job.Protected) }) {
		return ""
	}
	var missing []string
	for _, tag := range job.Tags {
		if !slices.ContainsFunc(online, func(r ci.Runner) bool { return slices.Contains(r.Tags, tag) }) {
			missing = append(missing, tag)
		}
	}
	switch {
	case len(missing) == 1:
		return "no online runner has tag " + missing[0]
	case len(missing) > 1:
		return "no online runner has any of the tags " + strings.Join(missing, ", ")
	case len(online) == 0:
		return "no runner of this project is online"
	case slices.ContainsFunc(online, func(r ci.Runner) bool { return r.May(job.Tags, true) }):
		return "the online runners take jobs of protected refs only"
	case len(job.Tags) == 0:
		return "no online runner takes jobs without tags"
	}
	return "no online runner has all of the tags " + strings.Join(job.Tags, ", ")
}
