package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// lines collects the records of a JSON log.
type lines struct{ bytes.Buffer }

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&l.Buffer, nil)) }

func (l *lines) records(t *testing.T) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(l.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		list = append(list, record)
	}
	return list
}

func (l *lines) atLevel(t *testing.T, level string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for _, record := range l.records(t) {
		if record["level"] == level {
			list = append(list, record)
		}
	}
	return list
}

// edgeWith is an Edge with one API route, GET and POST /api/v4/x.
func edgeWith(h Handler, log *lines) *Edge {
	mux := http.NewServeMux()
	mux.Handle("GET /api/v4/x", h)
	mux.Handle("POST /api/v4/x", h)
	return New(Config{API: mux, Log: log.logger(), NewID: func() string { return "made-up-id" }})
}

func TestErrorsAreAnswered(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		hints  string
		status int
		body   string
		header map[string]string
	}{
		{name: "not found", err: ci.NotFound("Project"), status: 404, body: `{"message":"404 Project Not Found"}`},
		{name: "no record", err: ci.NoRecord(), status: 404, body: `{"message":"404 Not found"}`},
		{name: "wrapped", err: fmt.Errorf("look up: %w", ci.NotFound("")), status: 404, body: `{"message":"404 Not Found"}`},
		{name: "unauthorized", err: ci.Unauthorized(), status: 401, body: `{"message":"401 Unauthorized"}`, header: map[string]string{"Www-Authenticate": ""}},
		{name: "forbidden", err: ci.Forbidden("Job is not retryable"), status: 403, body: `{"message":"403 Forbidden - Job is not retryable"}`},
		{name: "bad request", err: ci.BadRequest("no"), status: 400, body: `{"message":"400 Bad request - no"}`},
		{name: "parameter", err: ci.BadParam("ref is missing"), status: 400, body: `{"error":"ref is missing"}`},
		{name: "model", err: ci.Refused("Reference not found"), status: 400, body: `{"message":{"base":["Reference not found"]}}`},
		{name: "kept but refused", err: &ci.Error{Kind: ci.KindUnprocessable, Fields: map[string][]string{"base": {"a", "b"}}}, status: 422, body: `{"message":{"base":["a","b"]}}`},
		{name: "method", err: &ci.Error{Kind: ci.KindMethod, Message: "Non GET methods are not allowed for moved projects"}, status: 405, body: `{"message":"Non GET methods are not allowed for moved projects"}`},
		{name: "conflict", err: ci.Busy("pipeline %d", 1), status: 409, body: `{"message":"409 Conflict: Resource lock"}`},
		{name: "gone", err: &ci.Error{Kind: ci.KindGone}, status: 410, body: `{"message":"410 Gone"}`},
		{name: "precondition", err: &ci.Error{Kind: ci.KindPrecondition}, status: 412, body: `{"message":"412 Precondition Failed"}`},
		{name: "too large", err: ci.TooLarge("413 Request Entity Too Large"), status: 413, body: `{"message":"413 Request Entity Too Large"}`},
		{name: "body too large", err: fmt.Errorf("read body: %w", &http.MaxBytesError{Limit: 1}), status: 413, body: `{"message":"413 Request Entity Too Large"}`},
		{name: "media type", err: ci.UnsupportedMedia("text/css"), status: 415, body: `{"error":"The provided content-type 'text/css' is not supported."}`},
		{name: "too many", err: TooMany(1500 * time.Millisecond), status: 429, body: `{"message":{"error":"This endpoint has been requested too many times. Try again later."}}`, header: map[string]string{"Retry-After": "2"}},
		{name: "too many, time unknown", err: &ci.Error{Kind: ci.KindTooMany, Message: "slow"}, status: 429, body: `{"message":{"error":"slow"}}`, header: map[string]string{"Retry-After": "60"}},
		{name: "unavailable", err: &ci.Error{Kind: ci.KindUnavailable}, status: 503, body: `{"message":"503 Service Unavailable"}`, header: map[string]string{"Retry-After": "5"}},
		{name: "unavailable later", err: Later(&ci.Error{Kind: ci.KindUnavailable}, time.Minute), status: 503, body: `{"message":"503 Service Unavailable"}`, header: map[string]string{"Retry-After": "60"}},
		{name: "escaped", err: ci.BadParam("<b>&"), status: 400, body: `{"error":"\u003cb\u003e\u0026"}`},
		{
			name: "hint", err: ci.Refused("Reference not found").WithHint("ref_not_found", "Did you mean master?"), status: 400,
			body:   `{"message":{"base":["Reference not found"]},"code":"ref_not_found","hint":"Did you mean master?","request_id":"made-up-id"}`,
			header: map[string]string{"X-Lanyard-Error": "ref_not_found"},
		},
		{
			name: "hints off", err: ci.Refused("Reference not found").WithHint("ref_not_found", "Did you mean master?"), hints: "off", status: 400,
			body: `{"message":{"base":["Reference not found"]}}`, header: map[string]string{"X-Lanyard-Error": ""},
		},
		{
			name: "expired", err: InvalidToken(TokenExpired), status: 401,
			body:   `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`,
			header: map[string]string{"Www-Authenticate": `Bearer realm="The API", error="invalid_token", error_description="Token is expired. You can either do re-authorization or token refresh."`},
		},
		{name: "revoked", err: InvalidToken(TokenRevoked), status: 401, body: `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`},
		{
			name: "scope", err: InsufficientScope("api", "read_api"), status: 403,
			body:   `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api"}`,
			header: map[string]string{"Www-Authenticate": ""},
		},
		{name: "unknown", err: errors.New("disk on fire"), status: 500, body: `{"message":"500 Internal Server Error","request_id":"made-up-id"}`},
		{name: "unknown, hints off", err: errors.New("disk on fire"), hints: "off", status: 500, body: `{"message":"500 Internal Server Error"}`},
		{name: "kind nobody knows", err: &ci.Error{Kind: "new", Message: "x"}, status: 500, body: `{"message":"500 Internal Server Error","request_id":"made-up-id"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log lines
			edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error {
				w.Header().Set("Content-Type", "application/zip") // for the body that never came
				w.Header().Set("Etag", `"x"`)
				w.Header().Set("Job-Status", "failed")
				return test.err
			}, &log)
			r := httptest.NewRequest("GET", "/api/v4/x", nil)
			r.Header.Set("X-Lanyard-Hints", test.hints)
			w := httptest.NewRecorder()
			edge.ServeHTTP(w, r)
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, test.status, test.body)
			}
			for name, want := range test.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type: got %q", got)
			}
			if w.Header().Get("Etag") != "" || w.Header().Get("Job-Status") != "failed" {
				t.Errorf("headers of the handler: got %v", w.Header())
			}
			wantErrors := 0
			if test.status == 500 {
				wantErrors = 1
			}
			if got := log.atLevel(t, "ERROR"); len(got) != wantErrors {
				t.Errorf("error lines: got %v, want %d", got, wantErrors)
			}
		})
	}
}

func TestUnknownErrorIsLoggedOnceWithItsID(t *testing.T) {
	var log lines
	edge := edgeWith(func(http.ResponseWriter, *http.Request) error { return errors.New("open trace of job 7: EIO") }, &log)
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("POST", "/api/v4/x?token=glptt-secret", nil))
	if got := strings.Count(log.String(), "open trace of job 7"); got != 1 {
		t.Errorf("the error is in the log %d times, want once:\n%s", got, log.String())
	}
	record := log.atLevel(t, "ERROR")[0]
	if record["request_id"] != "made-up-id" || record["error"] != "open trace of job 7: EIO" || record["route"] != "/api/v4/x" || record["method"] != "POST" {
		t.Errorf("got %v", record)
	}
	if strings.Contains(w.Body.String(), "EIO") || strings.Contains(log.String(), "secret") {
		t.Errorf("told too much: %s / %s", w.Body, log.String())
	}
}

func TestCauseOfARefusalGoesIntoTheAccessLog(t *testing.T) {
	var log lines
	edge := edgeWith(func(http.ResponseWriter, *http.Request) error { return ci.Busy("pipeline 12 keeps moving") }, &log)
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/api/v4/x", nil))
	records := log.records(t)
	if len(records) != 1 || records[0]["cause"] != "pipeline 12 keeps moving" || records[0]["level"] != "INFO" {
		t.Errorf("got %v", records)
	}
	if strings.Contains(w.Body.String(), "keeps moving") {
		t.Errorf("the cause was answered: %s", w.Body)
	}
}

func TestPanicAnswers500(t *testing.T) {
	var log lines
	edge := edgeWith(func(http.ResponseWriter, *http.Request) error { panic("index out of range") }, &log)
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/api/v4/x", nil))
	if got, want := w.Body.String(), `{"message":"500 Internal Server Error","request_id":"made-up-id"}`; w.Code != 500 || got != want {
		t.Errorf("got %d %s, want 500 %s", w.Code, got, want)
	}
	failures := log.atLevel(t, "ERROR")
	if len(failures) != 1 || failures[0]["error"] != "panic: index out of range" || !strings.Contains(failures[0]["stack"].(string), "TestPanicAnswers500") {
		t.Errorf("got %v", failures)
	}
}

func TestPanicOutsideAHandlerAnswers500(t *testing.T) {
	var log lines
	edge := New(Config{Log: log.logger(), Rest: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("page") })})
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || len(log.atLevel(t, "ERROR")) != 1 {
		t.Errorf("got %d, log %s", w.Code, log.String())
	}
}

func TestErrorAfterTheHeaderCutsTheConnection(t *testing.T) {
	var log lines
	edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.WriteString(w, "half a lo"); err != nil {
			return err
		}
		return errors.New("chunk 3 is missing")
	}, &log)
	server := httptest.NewServer(edge)
	resp, err := http.Get(server.URL + "/api/v4/x")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	server.Close() // waits for the handler, so the log is complete
	if err == nil {
		t.Error("the client took half a body for the whole")
	}
	if got := log.atLevel(t, "ERROR"); len(got) != 1 || got[0]["error"] != "chunk 3 is missing" {
		t.Errorf("got %v", got)
	}
}

func TestClientThatLeavesIsNoError(t *testing.T) {
	tests := map[string]func(ctx context.Context) error{
		"context error": func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("query: %w", ctx.Err()) },
		"its echo":      func(ctx context.Context) error { <-ctx.Done(); return errors.New("interrupted (9)") },
	}
	for name, work := range tests {
		t.Run(name, func(t *testing.T) {
			var log lines
			edge := edgeWith(func(_ http.ResponseWriter, r *http.Request) error { return work(r.Context()) }, &log)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			edge.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/api/v4/x", nil))
			records := log.records(t)
			if len(records) != 1 || records[0]["level"] != "INFO" || records[0]["status"] != float64(499) {
				t.Errorf("got %v", records)
			}
		})
	}
}

func TestPanicIsLoggedEvenWhenTheClientLeft(t *testing.T) {
	var log lines
	edge := edgeWith(func(http.ResponseWriter, *http.Request) error { panic("bug") }, &log)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	edge.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/api/v4/x", nil))
	if got := log.atLevel(t, "ERROR"); len(got) != 1 {
		t.Errorf("got %v", log.String())
	}
}

func TestServerThatStopsAsksToTryAgain(t *testing.T) {
	var log lines
	edge := edgeWith(func(_ http.ResponseWriter, r *http.Request) error { return r.Context().Err() }, &log)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("server stops"))
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/api/v4/x", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") != "5" || len(log.atLevel(t, "ERROR")) != 0 {
		t.Errorf("got %d %v, log %s", w.Code, w.Header(), log.String())
	}
}

func TestOwnCancelIsAnError(t *testing.T) {
	var log lines
	edge := edgeWith(func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("group: %w", context.Canceled) }, &log)
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/api/v4/x", nil))
	if w.Code != 500 || len(log.atLevel(t, "ERROR")) != 1 {
		t.Errorf("got %d, log %s", w.Code, log.String())
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	for name, length := range map[string]int64{"declared": 2 << 20, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			var log lines
			edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error {
				_, err := ReadParams(w, r)
				return err
			}, &log)
			server := httptest.NewServer(edge)
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/api/v4/x", io.LimitReader(zeros{}, 2<<20))
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = length
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if got, want := string(body), `{"message":"413 Request Entity Too Large"}`; err != nil || resp.StatusCode != 413 || got != want {
				t.Errorf("got %d %s %v, want 413 %s", resp.StatusCode, got, err, want)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestHandlerWithoutAnEdge(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(func(http.ResponseWriter, *http.Request) error { return ci.NoRecord() }).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got, want := w.Body.String(), `{"message":"404 Not found"}`; w.Code != 404 || got != want {
		t.Errorf("got %d %s, want 404 %s", w.Code, got, want)
	}
}

func TestAdaptShowsProblemsItsOwnWay(t *testing.T) {
	page := Adapt(func(http.ResponseWriter, *http.Request) error {
		return ci.Forbidden("").WithHint("not_member", "Ask a maintainer.")
	}, func(w http.ResponseWriter, _ *http.Request, p Problem) error {
		return Text(w, p.Status, p.Message+" / "+p.Hint)
	})
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got, want := w.Body.String(), "403 Forbidden / Ask a maintainer."; w.Code != 403 || got != want || w.Header().Get("X-Lanyard-Error") != "not_member" {
		t.Errorf("got %d %s %v, want 403 %s", w.Code, got, w.Header(), want)
	}
}

func TestAdaptWithAnAnswerThatFails(t *testing.T) {
	var log lines
	page := Adapt(func(http.ResponseWriter, *http.Request) error { return ci.Forbidden("") },
		func(http.ResponseWriter, *http.Request, Problem) error { return errors.New("no template") })
	edge := New(Config{Rest: page, Log: log.logger()})
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := log.atLevel(t, "ERROR"); w.Code != 500 || len(got) != 1 || got[0]["error"] != "answer error: no template" {
		t.Errorf("got %d, log %s", w.Code, log.String())
	}
}
