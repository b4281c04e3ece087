package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// A Pipeline is what the commands show of one.
type Pipeline struct {
	ID     int64  `json:"id"`
	IID    int64  `json:"iid"`
	Ref    string `json:"ref"`
	SHA    string `json:"sha"`
	Status string `json:"status"`
	WebURL string `json:"web_url"`
}

// Done reports whether the pipeline will not go on by itself.
func (p Pipeline) Done() bool {
	switch p.Status {
	case "success", "failed", "canceled", "skipped", "manual":
		return true
	}
	return false
}

// A Job is what the commands show of one.
type Job struct {
	ID            int64    `json:"id"`
	Name          string   `json:"name"`
	Stage         string   `json:"stage"`
	Status        string   `json:"status"`
	AllowFailure  bool     `json:"allow_failure"`
	Duration      *float64 `json:"duration"` // seconds
	FailureReason string   `json:"failure_reason"`
}

// Current leaves out the jobs that were retried: of each name the newest counts.
// jobs are in the order of their ids, and so is the result.
func Current(jobs []Job) []Job {
	newest := map[string]int64{}
	for _, j := range jobs {
		newest[j.Name] = j.ID
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(j Job) bool { return newest[j.Name] != j.ID })
}

// Trigger starts a pipeline with a trigger or job token. It tries again while the
// server is not to be reached, with one Idempotency-Key, so that an answer that got
// lost does not start a second pipeline. Errors: *Refused; any other error says
// that the server did not answer.
func (c *Client) Trigger(ctx context.Context, project, token, ref string, variables map[string]string) (Pipeline, error) {
	body, err := json.Marshal(map[string]any{"token": token, "ref": ref, "variables": variables})
	if err != nil {
		return Pipeline{}, fmt.Errorf("encode trigger request: %w", err)
	}
	path := "/projects/" + url.PathEscape(project) + "/trigger/pipeline"
	header := http.Header{"Idempotency-Key": {rand.Text()}}
	// The token in the body says who triggers: whoever reads plays no part.
	caller := &Client{URL: c.URL, HTTP: c.HTTP}
	var data []byte
	err = again(ctx, triggerTries, func() error {
		data, err = caller.read(ctx, call{method: http.MethodPost, path: path, header: header, body: body, max: maxAnswer})
		return err
	})
	if err != nil {
		return Pipeline{}, err
	}
	var p Pipeline
	err = decode(path, data, &p)
	return p, err
}

// Pipeline reads a pipeline.
func (c *Client) Pipeline(ctx context.Context, project string, id int64) (Pipeline, error) {
	var p Pipeline
	err := c.get(ctx, fmt.Sprintf("/projects/%s/pipelines/%d", url.PathEscape(project), id), &p)
	return p, err
}

// Latest reads the newest pipeline of a ref.
func (c *Client) Latest(ctx context.Context, project, ref string) (Pipeline, error) {
	var p Pipeline
	err := c.get(ctx, fmt.Sprintf("/projects/%s/pipelines/latest?ref=%s", url.PathEscape(project), url.QueryEscape(ref)), &p)
	return p, err
}

// perPage is the largest page that servers give.
const perPage = 100

// Jobs lists the jobs of a pipeline, in the order of their ids, those that were
// retried too.
func (c *Client) Jobs(ctx context.Context, project string, id int64) ([]Job, error) {
	var all []Job
	for page := 1; ; page++ {
		var jobs []Job
		path := fmt.Sprintf("/projects/%s/pipelines/%d/jobs?include_retried=true&per_page=%d&page=%d", url.PathEscape(project), id, perPage, page)
		if err := c.get(ctx, path, &jobs); err != nil {
			return nil, err
		}
		all = append(all, jobs...)
		if len(jobs) < perPage {
			break
		}
	}
	slices.SortFunc(all, func(a, b Job) int { return int(a.ID - b.ID) })
	// A page may have moved under the reader.
	return slices.CompactFunc(all, func(a, b Job) bool { return a.ID == b.ID }), nil
}

// MaxLog is how much Log reads at once, in bytes.
const MaxLog = 1 << 20

// Log reads the log of a job from an offset, in bytes, MaxLog of it at most. A
// server that cannot be reached is tried for a minute.
func (c *Client) Log(ctx context.Context, project string, job, offset int64) ([]byte, error) {
	path := fmt.Sprintf("/projects/%s/jobs/%d/trace?byte_offset=%d&byte_limit=%d", url.PathEscape(project), job, offset, MaxLog)
	var data []byte
	err := again(ctx, pollTries, func() (err error) {
		data, err = c.read(ctx, call{method: http.MethodGet, path: path, max: MaxLog})
		return err
	})
	return data, err
}
