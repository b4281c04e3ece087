package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// execute takes the job through its stages. ctx is the job's whole life: when it ends, everything stops. graceful ends
// also when the server asks for a cancel, which stops the script, but leaves after_script and artifacts their turn.
func (j *job) execute(ctx, graceful context.Context) error {
	j.log.print("\x1b[0KRunning with lanyard-runner %s"+reset, j.runner.config.Version)
	j.log.print("\x1b[0K  on %s, system ID: %s"+reset, j.runner.config.Name, j.runner.config.SystemID)
	err := j.before(graceful)
	if err == nil {
		err = j.steps(graceful)
		j.canceling = context.Cause(graceful) == errCanceling && err != nil
		if ctx.Err() == nil {
			j.afterScript(ctx, err)
		}
		if ctx.Err() == nil {
			err = j.after(ctx, err)
		}
	}
	if ctx.Err() != nil && err != nil {
		return endOf(ctx)
	}
	j.canceling = context.Cause(graceful) == errCanceling && err != nil
	if err := j.log.section("cleanup_file_variables", "Cleaning up project directory and file based variables", j.cleanup); err != nil {
		j.log.warn("%v", err)
	}
	return err
}

// endOf says why a job's context ended; what the runner's caller gave as a reason is a shutdown.
func endOf(ctx context.Context) error {
	switch cause := context.Cause(ctx); cause {
	case errGone, errTimeout:
		return cause
	}
	return errShutdown
}

// cleanup closes the workspace while the log can still take a complaint; work closes it again in any case.
func (j *job) cleanup() error { return j.ws.close() }

// before is everything up to the script.
func (j *job) before(ctx context.Context) error {
	stages := []struct {
		name, title string
		wanted      bool
		run         func(context.Context) error
	}{
		{"prepare_executor", `Preparing the "shell" executor`, true, j.prepareExecutor},
		{"prepare_script", "Preparing environment", true, j.prepareEnvironment},
		{"get_sources", "Getting source from Git repository", true, j.getSources},
		{"restore_cache", "Restoring cache", len(j.payload.Cache) > 0, j.restoreCaches},
		{"download_artifacts", "Downloading artifacts", j.hasDependencies(), j.downloadArtifacts},
	}
	for _, stage := range stages {
		if !stage.wanted {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := j.log.section(stage.name, stage.title, func() error { return stage.run(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) prepareExecutor(context.Context) error {
	name := j.runner.client.info.Shell
	if as := j.ws.as; as != nil {
		j.log.print("\x1b[0KUsing Shell (%s) executor as %s..."+reset, name, j.runner.config.User)
	} else {
		j.log.print("\x1b[0KUsing Shell (%s) executor..."+reset, name)
	}
	return nil
}

func (j *job) prepareEnvironment(context.Context) error {
	j.log.print("Running on %s...", j.runner.config.Name)
	if j.vars.get("GIT_CLONE_PATH") != "" {
		return systemFailure(errors.New("GIT_CLONE_PATH is set, but this runner does not let jobs choose their folder"))
	}
	if err := j.ws.prepare(j.payload.JobInfo.ProjectID, j.runner.config.Now()); err != nil {
		return systemFailure(err)
	}
	for _, key := range slices.Sorted(maps.Keys(j.vars.files)) {
		if err := j.ws.writeFile(key, []byte(j.vars.files[key])); err != nil {
			return systemFailure(fmt.Errorf("write file variable %s: %w", key, err))
		}
	}
	if _, left := j.vars.environ(nil); len(left) > 0 {
		j.log.warn("too long for an environment, or binary, and left out: %s", strings.Join(left, ", "))
	}
	return nil
}

// steps runs the script and the steps after it, such as release. The first failure counts.
func (j *job) steps(ctx context.Context) error {
	limit := j.limit("RUNNER_SCRIPT_TIMEOUT", j.timeout)
	ctx, release := context.WithTimeoutCause(ctx, limit, errScriptTimeout)
	defer release()
	var failed error
	for _, step := range j.payload.Steps {
		if step.Name == "after_script" || len(step.Script) == 0 || !due(step.When, failed) || ctx.Err() != nil {
			continue
		}
		name := "step_" + step.Name
		title := fmt.Sprintf("Executing %q stage of the job script", name)
		err := j.log.section(name, title, func() error {
			return j.shell(ctx, name, step.Script, jobStatus(failed, false))
		})
		switch {
		case errors.Is(err, errCanceling):
			j.log.warn("script canceled externally (UI, API)")
		case errors.Is(err, errTimeout), errors.Is(err, errScriptTimeout):
			j.log.warn("%s could not run to completion because the timeout was exceeded", name)
		case err != nil && step.AllowFailure:
			j.log.warn("%s failed, but job will continue unaffected: %v", name, err)
			continue
		}
		if failed == nil {
			failed = err
		}
	}
	if failed == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed
}

// due says whether something with a `when` is to be done after what happened so far.
func due(when string, failed error) bool {
	switch when {
	case "always":
		return true
	case "on_failure":
		return failed != nil
	}
	return failed == nil
}

func jobStatus(err error, canceling bool) string {
	switch {
	case canceling:
		return "canceled"
	case err != nil:
		return "failed"
	}
	return "running"
}

// afterScript cannot change how the job ends.
func (j *job) afterScript(ctx context.Context, scriptErr error) {
	status := jobStatus(scriptErr, j.canceling)
	if scriptErr == nil {
		status = "success"
	}
	for _, step := range j.payload.Steps {
		if step.Name != "after_script" || len(step.Script) == 0 {
			continue
		}
		ctx, release := context.WithTimeoutCause(ctx, j.limit("RUNNER_AFTER_SCRIPT_TIMEOUT", j.runner.timing.after), errScriptTimeout)
		err := j.log.section("after_script", "Running after_script", func() error {
			j.log.step("Running after script...")
			return j.shell(ctx, "after_script", step.Script, status)
		})
		release()
		if err != nil {
			j.log.warn("after_script failed, but job will continue unaffected: %v", err)
		}
	}
}

// after saves what the job made. A failure here fails a job that had succeeded; a job that had failed keeps its reason.
func (j *job) after(ctx context.Context, scriptErr error) error {
	ending, sort := "successful", "success"
	if scriptErr != nil {
		ending, sort = "failed", "failure"
	}
	if caches := j.dueCaches(scriptErr); len(caches) > 0 {
		err := j.log.section("archive_cache", "Saving cache for "+ending+" job", func() error { return j.saveCaches(ctx, caches) })
		if err != nil {
			j.log.warn("cache not saved: %v", err)
		}
	}
	artifacts := j.dueArtifacts(scriptErr)
	if len(artifacts) == 0 || ctx.Err() != nil {
		return scriptErr
	}
	err := j.log.section("upload_artifacts_on_"+sort, "Uploading artifacts for "+ending+" job", func() error {
		return j.uploadArtifacts(ctx, artifacts)
	})
	if scriptErr != nil {
		return scriptErr
	}
	return err
}
