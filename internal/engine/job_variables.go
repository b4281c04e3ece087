package engine

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// jobVariables is the final list of a job on its way to a runner. What the job's
// log must not show is remembered.
func (e *Engine) jobVariables(ctx context.Context, a *Assignment, found *store.Candidate) ([]ci.Variable, error) {
	layers, err := e.jobLayers(ctx, a, found)
	if err != nil {
		return nil, err
	}
	e.hidden.put(a.Job.ID, logSecrets(a.Token, a.owned))
	return expandVariables(mergeLayers(layers)), nil
}

// jobLayers are the variables of a job in GitLab's order of precedence, later ones
// win: predefined, those of the configuration, of the user, reported by earlier
// jobs, of the instance, the groups and the project, given to the pipeline, and
// given when the job was played (contract/trigger-api.md 7, contract/ci-yaml.md
// 5.1).
func (e *Engine) jobLayers(ctx context.Context, a *Assignment, found *store.Candidate) ([]variableLayer, error) {
	given, err := e.openVariables(found.Variables, a.Pipeline.UID)
	if err != nil {
		return nil, err
	}
	played, err := e.openVariables(a.Job.SealedVariables, jobContext(a.Job.PipelineID, a.Job.Name))
	if err != nil {
		return nil, err
	}
	reported, err := e.dotenvLayers(ctx, a.dotenv)
	if err != nil {
		return nil, err
	}
	reaching, err := e.reaching(ctx, a.Project, found.VariablesVersion)
	if err != nil {
		return nil, err
	}
	predefined, err := e.predefinedVariables(ctx, a, found.TriggerShort)
	if err != nil {
		return nil, err
	}
	layers := append([]variableLayer{
		{Origin{Kind: OriginPredefined}, predefined}, {Origin{Kind: originYAML}, a.Spec.Variables},
		{Origin{Kind: OriginUser}, userVariables(a.User)},
	}, reported...)
	owned := reaching.pick(a.Job.Protected, a.Job.Plan.EnvironmentName())
	a.owned = mergeLayers(owned)
	return append(append(layers, owned...),
		variableLayer{Origin{Kind: OriginPipeline}, asSent(secret(given))}, variableLayer{Origin{Kind: OriginManual}, secret(played)}), nil
}

// predefinedVariables are those that the server makes, but for the user's.
func (e *Engine) predefinedVariables(ctx context.Context, a *Assignment, triggerShort string) ([]ci.Variable, error) {
	commit, err := e.commit(ctx, a.Project.ID, a.Pipeline.SHA)
	if err != nil {
		return nil, err
	}
	tagMessage, err := e.tagMessage(ctx, a.Project.ID, a.Pipeline)
	if err != nil {
		return nil, err
	}
	return slices.Concat(
		e.server, e.projectVariables(a.Project), commitVariables(a.Pipeline, commit, tagMessage),
		e.pipelineVariables(a.Project, a.Pipeline), triggerVariables(a.Pipeline.TriggerID != 0, triggerShort), e.storedPipelineVariables(a), e.ownVariables(a), runnerVariables(a.Runner),
	), nil
}

// mergeVariables keeps the last of each key, in the order of precedence.
func mergeVariables(lists ...[]ci.Variable) []ci.Variable {
	last, n := map[string]int{}, 0
	for _, list := range lists {
		for _, v := range list {
			last[v.Key] = n
			n++
		}
	}
	out, n := make([]ci.Variable, 0, len(last)), 0
	for _, list := range lists {
		for _, v := range list {
			if last[v.Key] == n {
				out = append(out, v)
			}
			n++
		}
	}
	return out
}

// expandVariables resolves references between variables, as far as they exist. A
// cycle leaves the values as they are: the runner then sees what was written.
func expandVariables(list []ci.Variable) []ci.Variable {
	in := make([]expand.Var, len(list))
	for i, v := range list {
		in[i] = expand.Var{Key: v.Key, Value: v.Value, Raw: v.Raw, File: v.File}
	}
	sorted, err := expand.Sort(in)
	if err != nil {
		return list
	}
	values := make(map[string]string, len(sorted))
	for _, v := range sorted {
		values[v.Key] = v.Value
	}
	for i := range list {
		list[i].Value = values[list[i].Key]
	}
	return list
}

// secret marks variables that callers gave: they are not public.
func secret(list []ci.Variable) []ci.Variable {
	for i := range list {
		list[i].Secret = true
	}
	return list
}

// asSent keeps what strangers wrote as they wrote it: nobody may have a job's own
// secrets put into its TRIGGER_PAYLOAD by naming them there.
func asSent(list []ci.Variable) []ci.Variable {
	for i := range list {
		if list[i].Key == payloadKey && list[i].File {
			list[i].Raw = true
		}
	}
	return list
}

// storedPipelineVariables are known once the pipeline has a row.
func (e *Engine) storedPipelineVariables(a *Assignment) []ci.Variable {
	return []ci.Variable{
		{Key: "CI_PIPELINE_ID", Value: strconv.FormatInt(int64(a.Pipeline.ID), 10)},
		{Key: "CI_PIPELINE_IID", Value: strconv.FormatInt(a.Pipeline.IID, 10)},
		{Key: "CI_PIPELINE_URL", Value: e.urls.Pipeline(a.Project.FullPath, int64(a.Pipeline.ID))},
	}
}

// ownVariables describe the job itself, its token included.
func (e *Engine) ownVariables(a *Assignment) []ci.Variable {
	job, clone := a.Job, e.urls.Clone(a.Project.FullPath)
	list := []ci.Variable{
		{Key: "CI_SERVER", Value: "yes"}, // gitlab-runner adds it by itself
		{Key: "CI_JOB_ID", Value: strconv.FormatInt(int64(job.ID), 10)},
		{Key: "CI_JOB_URL", Value: e.urls.Job(a.Project.FullPath, int64(job.ID))},
		{Key: "CI_JOB_TOKEN", Value: a.Token, Masked: true, Secret: true, Raw: true},
		{Key: "CI_JOB_STARTED_AT", Value: job.StartedAt.UTC().Format(time.RFC3339)},
		{Key: "CI_JOB_TIMEOUT", Value: strconv.FormatInt(job.Timeout, 10)},
		{Key: "CI_JOB_NAME", Value: job.Name, Raw: true}, {Key: "CI_JOB_NAME_SLUG", Value: slug(job.Name)},
		{Key: "CI_JOB_STAGE", Value: job.Stage, Raw: true}, {Key: "CI_JOB_GROUP_NAME", Value: groupName(job), Raw: true},
		{Key: "CI_NODE_TOTAL", Value: strconv.Itoa(max(1, job.Plan.NodeTotal))},
		{Key: "CI_REPOSITORY_URL", Value: WithCredentials(clone, a.Token), Secret: true, Raw: true},
		{Key: "CI_REGISTRY_USER", Value: "gitlab-ci-token"},
		{Key: "CI_REGISTRY_PASSWORD", Value: a.Token, Masked: true, Secret: true, Raw: true},
	}
	if job.Plan.NodeIndex > 0 {
		list = append(list, ci.Variable{Key: "CI_NODE_INDEX", Value: strconv.Itoa(job.Plan.NodeIndex)})
	}
	if job.Plan.When == ci.WhenManual {
		list = append(list, ci.Variable{Key: "CI_JOB_MANUAL", Value: "true"})
	}
	if a.Spec.Image != nil {
		list = append(list, ci.Variable{Key: "CI_JOB_IMAGE", Value: a.Spec.Image.Name})
	}
	return append(list, environmentVariables(job.Plan.Environment)...)
}

// environmentVariables describe where the job deploys to. The address may refer to
// other variables.
func environmentVariables(of *ci.Environment) []ci.Variable {
	if of == nil {
		return nil
	}
	list := []ci.Variable{
		{Key: "CI_ENVIRONMENT_NAME", Value: of.Name, Raw: true}, {Key: "CI_ENVIRONMENT_SLUG", Value: of.Slug},
		{Key: "CI_ENVIRONMENT_ACTION", Value: of.Action}, {Key: "CI_ENVIRONMENT_TIER", Value: of.Tier, Raw: true},
	}
	if of.URL != "" {
		list = append(list, ci.Variable{Key: "CI_ENVIRONMENT_URL", Value: of.URL})
	}
	return list
}

// groupName is the name without its parallel suffix.
func groupName(job ci.Job) string {
	if job.Plan.Group != "" {
		return job.Plan.Group
	}
	return job.Name
}

// runnerVariables describe the runner, once there is one.
func runnerVariables(runner ci.Runner) []ci.Variable {
	if runner.ID == 0 {
		return nil
	}
	return []ci.Variable{
		{Key: "CI_RUNNER_ID", Value: strconv.FormatInt(int64(runner.ID), 10)},
		{Key: "CI_RUNNER_DESCRIPTION", Value: runner.Description, Raw: true},
		{Key: "CI_RUNNER_TAGS", Value: tagList(runner.Tags), Raw: true},
		{Key: "CI_RUNNER_SHORT_TOKEN", Value: runner.Short},
	}
}

// tagList is a JSON array, with a blank after each comma as GitLab has it.
func tagList(tags []string) string {
	quoted := make([]string, len(tags))
	for i, tag := range tags {
		quoted[i] = strconv.Quote(tag)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// WithCredentials puts a job token into a clone address, in the form that runners
// expect. The result is a secret.
func WithCredentials(clone, token string) string {
	u, err := url.Parse(clone)
	if err != nil { // the daemon checked the external URL
		return clone
	}
	u.User = url.UserPassword("gitlab-ci-token", token)
	return u.String()
}

// jobContext ties sealed variables of a played job to their place.
func jobContext(pipeline ci.PipelineID, name string) string {
	return fmt.Sprintf("job:%d:%s", pipeline, name)
}
