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
	"slices"
	"strings"
	"time"
)

// A Client talks to one server. URL is its external URL, without /api/v4.
type Client struct {
	URL      string
	Token    string // personal access token for reading; empty: none
	JobToken string // for reading without Token, inside a job; empty: none
	HTTP     *http.Client
}

// callTime is how long one call may take, its answer included.
const callTime = time.Minute

// maxAnswer bounds an answer that is decoded, in bytes.
const maxAnswer = 16 << 20

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

// A call is one request. Path is below /api/v4.
type call struct {
	method, path string
	header       http.Header
	body         []byte // JSON; nil: none
	max          int64  // of the answer, in bytes
}

// read makes a call and reads the answer. An answer other than success is a
// *Refused.
func (c *Client) read(ctx context.Context, one call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, one.method, strings.TrimRight(c.URL, "/")+"/api/v4"+one.path, bytes.NewReader(one.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, values := range one.header {
		req.Header[name] = values
	}
	if one.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case c.Token != "":
		req.Header.Set("PRIVATE-TOKEN", c.Token)
	case c.JobToken != "":
		req.Header.Set("JOB-TOKEN", c.JobToken)
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, refusal(resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, one.max))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s %s: %w", one.method, one.path, err)
	}
	return data, nil
}

// http is the client to use. It follows no redirection: tokens must not follow to
// another host, and a POST would become a GET.
func (c *Client) http() *http.Client {
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// get reads a JSON answer.
func (c *Client) get(ctx context.Context, path string, into any) error {
	data, err := c.read(ctx, call{method: http.MethodGet, path: path, max: maxAnswer})
	if err != nil {
		return err
	}
	return decode(path, data, into)
}

func decode(path string, data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("decode answer of %s: %w", path, err)
	}
	return nil
}

// refusal reads what the server said; a body that is not the API's is shown by
// its status alone.
func refusal(resp *http.Response) error {
	refused := &Refused{Status: resp.StatusCode, Message: strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))}
	if location := resp.Header.Get("Location"); location != "" {
		refused.Hint = "the address has moved to " + location
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return errors.Join(refused, err)
	}
	var body struct {
		Message any    `json:"message"`
		Error   string `json:"error"`
		Hint    string `json:"hint"`
	}
	if json.Unmarshal(data, &body) != nil {
		return refused
	}
	if body.Hint != "" {
		refused.Hint = body.Hint
	}
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

// flatten joins the texts of a model error, in the order of the fields.
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
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}
