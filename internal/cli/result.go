package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/client"
)

// A result is a pipeline at its end, with its jobs.
type result struct {
	client.Pipeline
	jobs []client.Job // without those that were retried
}

// verdict says how the pipeline ended.
func (r result) verdict() string {
	warned := slices.ContainsFunc(r.jobs, func(j client.Job) bool { return j.Status == "failed" && j.AllowFailure })
	switch {
	case r.Status == "success" && warned:
		return "passed with warnings"
	case r.Status == "manual":
		return "waits for a manual job"
	}
	return verdict(r.Status)
}

// print shows the jobs, a line for each stage, in the order in which they came.
func (r result) print(w io.Writer) {
	var stages []string
	jobs := map[string][]string{}
	width := 0
	for _, job := range r.jobs {
		stage, text := printable(job.Stage), printable(job.Name)+" "+verdict(job.Status)
		if job.Status == "failed" && job.AllowFailure {
			text += " (allowed to)"
		}
		if jobs[stage] == nil {
			stages, width = append(stages, stage), max(width, len(stage))
		}
		jobs[stage] = append(jobs[stage], text)
	}
	for _, stage := range stages {
		fmt.Fprintf(w, "  %-*s  %s\n", width, stage, strings.Join(jobs[stage], ", "))
	}
}

// exit gives the exit code for the end of the pipeline.
func (r result) exit() error {
	if code := exitOf(r.Status); code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// verdict is a status as people say it.
func verdict(status string) string {
	if status == "success" {
		return "passed"
	}
	return printable(status)
}

// exitOf is the exit code for the end of a pipeline.
func exitOf(status string) int {
	switch status {
	case "success":
		return exitOK
	case "canceled":
		return exitCanceled
	case "manual", "skipped":
		return exitWaiting
	}
	return exitFailed
}
