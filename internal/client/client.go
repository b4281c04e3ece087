// Package client is the small HTTP client of our own command line: it triggers a
// pipeline and watches it. It speaks the public API and nothing else, so what it
// can do, curl can do too.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Client talks to one server. URL is its external URL, without /api/v4.
type Client struct {
	URL   string
	Token string // personal access token for reading; empty: none
	HTTP  *http.Client
}

// A Refused error is an answer other than success. Status is its code; Message is
// what the server said, in its own words.
type Refused struct {
	Status  int
	Message string
	Hint    string
}

// Error gives the server's words.
func (r *Refused) Error() string {
	if r.Hint != "" {
		return fmt.Sprintf("%s (%s)", r.Message, r.Hint)
	}
	return r.Message
}

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
	Duration      *float64 `json:"duration"`
	FailureReason string   `json:"failure_reason"`
}

// Trigger starts a pipeline with a trigger or job token.
func (c *Client) Trigger(ctx context.Context, project, token, ref string, variables map[string]string) (Pipeline, error) {
	body, err := json.Marshal(map[string]any{"token": token, "ref": ref, "variables": variables})
	if err != nil {
		return Pipeline{}, fmt.Errorf("encode trigger request: %w", err)
	}
	var p Pipeline
	return p, c.do(ctx, http.MethodPost, "/projects/"+url.PathEscape(project)+"/trigger/pipeline", body, &p)
}

// Pipeline reads a pipeline.
func (c *Client) Pipeline(ctx context.Context, project string, id int64) (Pipeline, error) {
	var p Pipeline
	return p, c.do(ctx, http.MethodGet, fmt.Sprintf("/projects/%s/pipelines/%d", url.PathEscape(project), id), nil, &p)
}

// Jobs lists the jobs of a pipeline, in the order of their ids.
func (c *Client) Jobs(ctx context.Context, project string, id int64) ([]Job, error) {
	var all []Job
	for page := 1; ; page++ {
		var jobs []Job
		path := fmt.Sprintf("/projects/%s/pipelines/%d/jobs?per_page=100&page=%d", url.PathEscape(project), id, page)
		if err := c.do(ctx, http.MethodGet, path, nil, &jobs); err != nil {
			return nil, err
		}
		all = append(all, jobs...)
		if len(jobs) < 100 {
			break
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 { // the API lists the newest first
		all[i], all[j] = all[j], all[i]
	}
	return all, nil
}

// Log reads the log of a job from an offset, in bytes.
func (c *Client) Log(ctx context.Context, project string, job, offset int64) ([]byte, error) {
	path := fmt.Sprintf("/projects/%s/jobs/%d/trace?byte_offset=%d", url.PathEscape(project), job, offset)
	resp, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read log of job %d: %w", job, err)
	}
	return data, nil
}

// maxAnswer bounds an answer that is decoded, in bytes.
const maxAnswer = 16 << 20

func (c *Client) do(ctx context.Context, method, path string, body []byte, into any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refusal(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("decode answer of %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+"/api/v4"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("PRIVATE-TOKEN", c.Token)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach server: %w", err)
	}
	return resp, nil
}

// refusal reads what the server said; a body that is not the API's is shown by
// its status alone.
func refusal(resp *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return errors.Join(&Refused{Status: resp.StatusCode, Message: resp.Status}, err)
	}
	var body struct {
		Message any    `json:"message"`
		Error   string `json:"error"`
		Hint    string `json:"hint"`
	}
	refused := &Refused{Status: resp.StatusCode, Message: strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode)}
	if json.Unmarshal(data, &body) != nil {
		return refused
	}
	refused.Hint = body.Hint
	switch message := body.Message.(type) {
	case string:
		refused.Message = message
	case map[string]any:
		refused.Message = flatten(message)
	case nil:
		if body.Error != "" {
			refused.Message = body.Error
		}
	}
	return refused
}

// flatten joins the texts of a model error.
func flatten(fields map[string]any) string {
	var texts []string
	for field, list := range fields {
		entries, _ := list.([]any)
		for _, entry := range entries {
			text := fmt.Sprint(entry)
			if field != "base" {
				text = field + " " + text
			}
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ", ")
}

// pollEvery is how often a pipeline is looked at while it runs.
const pollEvery = 250 * time.Millisecond

// Wait calls seen with the jobs of a pipeline whenever it has looked, until the
// pipeline is done. Failures to reach the server are repeated for a minute.
func (c *Client) Wait(ctx context.Context, project string, id int64, seen func(Pipeline, []Job) error) (Pipeline, error) {
	var lost time.Time
	for {
		pipeline, err := c.Pipeline(ctx, project, id)
		var jobs []Job
		if err == nil {
			jobs, err = c.Jobs(ctx, project, id)
		}
		var refused *Refused
		switch {
		case err == nil:
			lost = time.Time{}
			if err := seen(pipeline, jobs); err != nil {
				return pipeline, err
			}
			if pipeline.Done() {
				return pipeline, nil
			}
		case errors.As(err, &refused) && refused.Status < 500, ctx.Err() != nil:
			return pipeline, err
		case lost.IsZero():
			lost = time.Now()
		case time.Since(lost) > time.Minute:
			return pipeline, err
		}
		select {
		case <-ctx.Done():
			return pipeline, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}
