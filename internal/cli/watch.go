package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/lanyard-ci/lanyard/internal/client"
)

// A watcher prints a pipeline while it runs: what each job says, line by line,
// and how it ended.
type watcher struct {
	out     io.Writer
	client  *client.Client
	project string
	jobs    map[int64]*watchedJob
}

// A watchedJob is how far a job has been shown.
type watchedJob struct {
	status string
	offset int64
	rest   []byte // an unfinished line
}

// follow shows the pipeline until it is done.
func (w *watcher) follow(ctx context.Context, project string, id int64) (client.Pipeline, error) {
	w.project, w.jobs = project, map[int64]*watchedJob{}
	return w.client.Wait(ctx, project, id, func(_ client.Pipeline, jobs []client.Job) error {
		for _, job := range jobs {
			if err := w.show(ctx, job); err != nil {
				return err
			}
		}
		return nil
	})
}

// show prints what is new about a job.
func (w *watcher) show(ctx context.Context, job client.Job) error {
	seen := w.jobs[job.ID]
	if seen == nil {
		seen = &watchedJob{}
		w.jobs[job.ID] = seen
	}
	ended := job.Status == "success" || job.Status == "failed" || job.Status == "canceled"
	if (job.Status == "running" || ended) && seen.status != job.Status || job.Status == "running" {
		if err := w.showLog(ctx, job, seen, ended); err != nil {
			return err
		}
	}
	if ended && seen.status != job.Status {
		took := ""
		if job.Duration != nil {
			took = " in " + time.Duration(*job.Duration*float64(time.Second)).Round(10*time.Millisecond).String()
		}
		note := ""
		if job.Status == "failed" && job.AllowFailure {
			note = " (allowed to fail)"
		}
		fmt.Fprintf(w.out, "%-14s = %s%s%s\n", job.Name, verdict(job.Status), took, note)
	}
	seen.status = job.Status
	return nil
}

// showLog prints the whole lines that have come since. A log that is not to be
// had (yet) shows nothing: the job itself is what counts.
func (w *watcher) showLog(ctx context.Context, job client.Job, seen *watchedJob, ended bool) error {
	data, err := w.client.Log(ctx, w.project, job.ID, seen.offset)
	var refused *client.Refused
	if errors.As(err, &refused) && refused.Status < 500 {
		return nil
	}
	if err != nil {
		return err
	}
	seen.offset += int64(len(data))
	seen.rest = append(seen.rest, data...)
	for {
		line, rest, found := bytes.Cut(seen.rest, []byte("\n"))
		if !found {
			break
		}
		seen.rest = rest
		w.line(job.Name, line)
	}
	if ended && len(seen.rest) > 0 {
		w.line(job.Name, seen.rest)
		seen.rest = nil
	}
	return nil
}

// controls are what a terminal would act on: section markers and escape sequences.
var controls = regexp.MustCompile(`section_(start|end):[0-9]+:[^\r\n]*\r|\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]`)

func (w *watcher) line(name string, line []byte) {
	text := bytes.TrimRight(controls.ReplaceAll(line, nil), " ")
	if len(text) > 0 {
		fmt.Fprintf(w.out, "%-14s | %s\n", name, text)
	}
}

// verdict is a status as people say it.
func verdict(status string) string {
	if status == "success" {
		return "passed"
	}
	return status
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
