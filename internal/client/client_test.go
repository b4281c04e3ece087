package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// serve runs a server that answers with f and gives a client of it.
func serve(t *testing.T, f http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return &Client{URL: s.URL + "/", HTTP: s.Client()}
}

func TestTrigger(t *testing.T) {
	var got *http.Request
	var body map[string]any
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":7,"iid":3,"ref":"main","sha":"abc","status":"created","web_url":"http://x/7"}`)
	})
	c.Token, c.JobToken = "glpat-reader", "glcbt-reader"
	p, err := c.Trigger(t.Context(), "group/sub project", "glptt-1", "main", map[string]string{"K": "v"})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Pipeline{ID: 7, IID: 3, Ref: "main", SHA: "abc", Status: "created", WebURL: "http://x/7"}); p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	if got.Method != "POST" || got.URL.EscapedPath() != "/api/v4/projects/group%2Fsub%20project/trigger/pipeline" || got.URL.RawQuery != "" {
		t.Errorf("got %s %s", got.Method, got.URL)
	}
	if body["token"] != "glptt-1" || body["ref"] != "main" || fmt.Sprint(body["variables"]) != "map[K:v]" || len(body) != 3 {
		t.Errorf("got body %v", body)
	}
	if got.Header.Get("PRIVATE-TOKEN") != "" || got.Header.Get("JOB-TOKEN") != "" || got.Header.Get("Idempotency-Key") == "" {
		t.Errorf("got headers %v", got.Header)
	}
}

// TestTriggerAgain holds that an answer that was lost is asked for once more under
// the same key, and that a refusal is not.
func TestTriggerAgain(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []int // 0: the connection is cut
		want    int
		status  int
	}{
		{"cut, then answered", []int{0, 201}, 2, 0},
		{"restarting behind a proxy", []int{502, 503, 201}, 3, 0},
		{"too many requests", []int{429, 201}, 2, 0},
		{"refused", []int{400, 201}, 1, 400},
		{"broken", []int{500, 201}, 1, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			var calls atomic.Int32
			var keys []string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n := int(calls.Add(1))
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				status := test.answers[n-1]
				if status == 0 {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(status)
				fmt.Fprint(w, `{"id":1,"message":"no"}`)
			})
			_, err := c.Trigger(t.Context(), "1", "t", "main", nil)
			if got := int(calls.Load()); got != test.want || len(slices.Compact(keys)) != 1 {
				t.Errorf("got %d calls with keys %v, want %d with one key", got, keys, test.want)
			}
			var refused *Refused
			if test.status == 0 && err != nil || test.status != 0 && (!errors.As(err, &refused) || refused.Status != test.status) {
				t.Errorf("got %v, want status %d", err, test.status)
			}
		})
	}
}

// TestTriggerGivesUp holds that a server that is not there is no reason to wait for
// long.
func TestTriggerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{URL: "http://ci", HTTP: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("connection refused")
		})}}
		begun := time.Now()
		_, err := c.Trigger(t.Context(), "1", "secret", "main", nil)
		var refused *Refused
		if err == nil || errors.As(err, &refused) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want that the server was not reached", err)
		}
		if took := time.Since(begun); took < time.Second || took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRefusal(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{`{"message":"404 Project Not Found"}`, "404 Project Not Found"},
		{`{"message":"404 Not Found","hint":"This trigger token expired."}`, "404 Not Found (This trigger token expired.)"},
		{`{"message":{"base":["Reference not found"],"ref":["is missing","is bad"]}}`, "Reference not found, ref is bad, ref is missing"},
		{`{"error":"ref is missing"}`, "ref is missing"},
		{`{"message":null}`, "404 Not Found"},
		{`<html>proxy</html>`, "404 Not Found"},
		{``, "404 Not Found"},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, test.body)
		})
		_, err := c.Pipeline(t.Context(), "1", 1)
		var refused *Refused
		if !errors.As(err, &refused) || refused.Status != http.StatusNotFound || err.Error() != test.want {
			t.Errorf("%s: got %v, want %q", test.body, err, test.want)
		}
	}
}

// TestNoRedirection holds that a token does not follow to another host, and that the
// answer names the address.
func TestNoRedirection(t *testing.T) {
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("followed with %v", r.Header) })
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"api/v4/projects/1/pipelines/1", http.StatusMovedPermanently)
	})
	c.Token = "glpat-1"
	if _, err := c.Pipeline(t.Context(), "1", 1); err == nil || !strings.Contains(err.Error(), "moved to "+other.URL) {
		t.Errorf("got %v", err)
	}
}

func TestReadersToken(t *testing.T) {
	for _, test := range []struct{ token, jobToken, private, job string }{
		{"", "", "", ""},
		{"glpat-1", "glcbt-1", "glpat-1", ""},
		{"", "glcbt-1", "", "glcbt-1"},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("PRIVATE-TOKEN") != test.private || r.Header.Get("JOB-TOKEN") != test.job {
				t.Errorf("%+v: got %v", test, r.Header)
			}
			fmt.Fprint(w, `{}`)
		})
		c.Token, c.JobToken = test.token, test.jobToken
		if _, err := c.Pipeline(t.Context(), "1", 1); err != nil {
			t.Error(err)
		}
	}
}

// TestJobs reads pages, of which one moved under the reader.
func TestJobs(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("include_retried") != "true" {
			t.Errorf("got %s", r.URL)
		}
		var page []Job
		switch r.FormValue("page") {
		case "1":
			for id := int64(150); id > 50; id-- {
				page = append(page, Job{ID: id})
			}
		case "2":
			for id := int64(52); id > 0; id-- {
				page = append(page, Job{ID: id})
			}
		}
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	})
	jobs, err := c.Jobs(t.Context(), "1", 1)
	if err != nil || len(jobs) != 150 || jobs[0].ID != 1 || jobs[149].ID != 150 {
		t.Errorf("got %d jobs, error %v", len(jobs), err)
	}
}

func TestCurrent(t *testing.T) {
	got := Current([]Job{{ID: 1, Name: "a"}, {ID: 2, Name: "b"}, {ID: 3, Name: "a"}})
	if want := []Job{{ID: 2, Name: "b"}, {ID: 3, Name: "a"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A roundTripper answers without a network, so that time can be a bubble's.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestWait holds that blips are waited out, longer ones are not, and that the
// pipeline is given back as it was seen last.
func TestWait(t *testing.T) {
	for _, test := range []struct {
		name   string
		lost   time.Duration // from the second look on
		ends   time.Duration // of the pipeline
		status string        // it ends with
		want   string        // status that is given back
		failed bool
	}{
		{"it ends", 0, 5 * time.Second, "success", "success", false},
		{"it waits for somebody", 0, 5 * time.Second, "manual", "manual", false},
		{"a blip", 40 * time.Second, 10 * time.Second, "failed", "failed", false},
		{"an outage", time.Hour, 10 * time.Second, "failed", "running", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				c := &Client{URL: "http://ci", HTTP: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					since := time.Since(begun)
					switch {
					case since > time.Second && since < test.lost:
						return nil, errors.New("connection refused")
					case strings.HasSuffix(r.URL.Path, "/jobs"):
						return answer(200, `[{"id":1,"name":"a","status":"running"}]`), nil
					case since < test.ends:
						return answer(200, `{"id":7,"status":"running"}`), nil
					}
					return answer(200, `{"id":7,"status":"`+test.status+`"}`), nil
				})}}
				looks := 0
				p, err := c.Wait(t.Context(), "1", Pipeline{ID: 7, Status: "created"}, func(_ Pipeline, jobs []Job) error {
					if looks++; len(jobs) != 1 {
						t.Errorf("got jobs %v", jobs)
					}
					return nil
				})
				if p.ID != 7 || p.Status != test.want || (err != nil) != test.failed || looks == 0 {
					t.Errorf("got %+v, error %v after %v and %d looks", p, err, time.Since(begun), looks)
				}
				if limit := test.ends + test.lost; !test.failed && time.Since(begun) > limit+6*time.Second {
					t.Errorf("it took %v", time.Since(begun))
				}
			})
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{URL: "http://ci", HTTP: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/jobs") {
				return answer(200, `[]`), nil
			}
			return answer(200, `{"id":7,"status":"running"}`), nil
		})}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		p, err := c.Wait(ctx, "1", Pipeline{ID: 7}, func(Pipeline, []Job) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) || p.Status != "running" {
			t.Errorf("got %+v, error %v", p, err)
		}
	})
}
