package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/client"
)

// A watcher prints a pipeline while it runs: what each job says, line by line,
// with the job's name before it since several may run at once, and how it ended.
type watcher struct {
	out     io.Writer
	client  *client.Client
	project string
	width   int // of the longest name so far
	jobs    map[int64]*watchedJob
}

// A watchedJob is how far a job has been shown.
type watchedJob struct {
	ended  bool
	offset int64
	rest   []byte // an unfinished line
}

// maxLine bounds an unfinished line that is kept, in bytes.
const maxLine = 64 << 10

// follow shows the pipeline until it is done and gives back what became of it.
func (w *watcher) follow(ctx context.Context, project string, p client.Pipeline) (end result, err error) {
	w.project, w.jobs = project, map[int64]*watchedJob{}
	end.Pipeline, err = w.client.Wait(ctx, project, p, func(_ client.Pipeline, jobs []client.Job) error {
		for _, job := range jobs {
			w.width = max(w.width, min(utf8.RuneCountInString(printable(job.Name)), 40))
		}
		end.jobs = client.Current(jobs)
		for _, job := range jobs {
			if err := w.show(ctx, job); err != nil {
				return err
			}
		}
		return nil
	})
	return end, err
}

// show prints what is new about a job.
func (w *watcher) show(ctx context.Context, job client.Job) error {
	seen := w.jobs[job.ID]
	if seen == nil {
		seen = &watchedJob{}
		w.jobs[job.ID] = seen
	}
	ended := job.Status == "success" || job.Status == "failed" || job.Status == "canceled"
	if seen.ended || !ended && job.Status != "running" && job.Status != "canceling" {
		return nil
	}
	if err := w.showLog(ctx, job, seen); err != nil {
		return err
	}
	if !ended {
		return nil
	}
	seen.ended = true
	if len(seen.rest) > 0 {
		w.line(job, '|', string(seen.rest))
		seen.rest = nil
	}
	w.line(job, '=', jobVerdict(job))
	return nil
}

// jobVerdict says how a job ended.
func jobVerdict(job client.Job) string {
	text := verdict(job.Status)
	if job.Duration != nil {
		text += " in " + seconds(*job.Duration)
	}
	switch {
	case job.Status == "failed" && job.AllowFailure:
		text += " (allowed to fail)"
	case job.Status == "failed" && job.FailureReason != "" && job.FailureReason != "script_failure":
		text += " (" + job.FailureReason + ")"
	}
	return text
}

// seconds writes a duration for people.
func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond).String()
}

// showLog prints the whole lines that have come since. A log that the server does
// not give shows nothing: how the job ends is what counts.
func (w *watcher) showLog(ctx context.Context, job client.Job, seen *watchedJob) error {
	for {
		data, err := w.client.Log(ctx, w.project, job.ID, seen.offset)
		if refused, ok := errors.AsType[*client.Refused](err); ok && refused.Status < 500 {
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
			w.line(job, '|', string(line))
			seen.rest = rest
		}
		if len(seen.rest) > maxLine {
			w.line(job, '|', string(seen.rest))
			seen.rest = nil
		}
		if len(data) < client.MaxLog {
			return nil
		}
	}
}

// line prints one line about a job, unless nothing of it can be seen.
func (w *watcher) line(job client.Job, mark rune, text string) {
	if text = printable(text); text != "" {
		fmt.Fprintf(w.out, "%-*s %c %s\n", w.width, printable(job.Name), mark, text)
	}
}
