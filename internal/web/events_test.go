package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// An eventStream is an open stream of a page.
type eventStream struct {
	t      testing.TB
	answer *http.Response
	lines  *bufio.Reader
	close  func()
}

// An event is one of them.
type event struct{ id, name, data string }

// events opens a stream over a real connection, as somebody, with more headers.
func (w *world) events(b *browser, path string, headers map[string]string) *eventStream {
	w.t.Helper()
	if w.server == nil {
		w.server = httptest.NewServer(w.handler)
		w.t.Cleanup(w.server.Close)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+path, nil)
	enginetest.Check(w.t, err)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := w.server.Client().Do(r)
	enginetest.Check(w.t, err)
	s := &eventStream{t: w.t, answer: answer, lines: bufio.NewReader(answer.Body), close: func() {
		cancel()
		answer.Body.Close()
	}}
	w.t.Cleanup(s.close)
	return s
}

// next waits for an event; pings are passed over.
func (s *eventStream) next() event {
	s.t.Helper()
	var e event
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the stream ended with %v", err)
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e
			}
		}
	}
}

// until waits for an event of a name that says something.
func (s *eventStream) until(name, says string) event {
	s.t.Helper()
	for {
		if e := s.next(); e.name == name && strings.Contains(e.data, says) {
			return e
		}
	}
}

// rest is all that still comes.
func (s *eventStream) rest() string {
	s.t.Helper()
	data, err := io.ReadAll(s.lines)
	enginetest.Check(s.t, err)
	return string(data)
}

func TestPipelineEvents(t *testing.T) {
	s := newScene(t, "compile:\n  script: make\n")
	path := s.path("/-/pipelines/%d/events", s.pipeline.ID)
	e := s.events(s.developer, path, nil)
	for name, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no", "Cache-Control": "no-store"} {
		if got := e.answer.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	first := e.next()
	if first.name != "swap" || !strings.Contains(first.data, "Pending") {
		t.Fatalf("got %+v", first)
	}
	var change struct{ HTML, Say string }
	enginetest.Check(t, json.Unmarshal([]byte(first.data), &change))
	page := s.developer.get(s.path("/-/pipelines/%d", s.pipeline.ID))
	if !strings.Contains(page.body, `<div id="live">`+change.HTML+`</div>`) {
		t.Errorf("the fragment is not what the page has:\n%s", change.HTML)
	}
	a := s.runner.Take()
	if got := e.until("swap", "Running"); !strings.Contains(got.data, "Running") {
		t.Errorf("got %+v", got)
	}
	below, _ := s.downstream(a, ci.Public)
	s.runner.Finish(a, true)
	if got := e.until("swap", "Passed"); !strings.Contains(got.data, below.FullPath) {
		t.Errorf("the pipeline below is not there: %s", got.data)
	}
	s.runner.Run() // of the project below
	e.until("end", "")
	if rest := e.rest(); rest != "" {
		t.Errorf("after the end: %q", rest)
	}
	for what, got := range map[string]*eventStream{
		"stranger":    s.events(s.browserOf("stranger"), path, nil),
		"no pipeline": s.events(s.developer, s.path("/-/pipelines/999/events"), nil),
	} {
		if got.answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got status %d", what, got.answer.StatusCode)
		}
	}
}

func TestPipelinesEvents(t *testing.T) {
	s := newScene(t, "compile:\n  script: make\n")
	e := s.events(s.developer, s.path("/-/pipelines/events?ref=main"), nil)
	e.until("swap", "Pending")
	s.runner.Run()
	e.until("swap", "Passed")
	other := s.Started(s.project, s.token, "main")
	e.until("swap", fmt.Sprintf("/-/pipelines/%d", other.ID))
	s.runner.Run()
	e.close()
}

func TestJobEvents(t *testing.T) {
	s := newScene(t, "compile:\n  script: make\n")
	job := s.job("compile")
	path := s.path("/-/jobs/%d", job.ID)
	page := s.developer.get(path)
	after := page.doc(t).find("#log")[0].attr("data-after")
	e := s.events(s.developer, path+"/events?after="+after, nil)
	e.until("swap", "Pending")
	a := s.runner.Take()
	e.until("swap", "Running")
	s.write(a, "section_start:1700000000:one\r\x1b[0Khead\n\x1b[1;33mwarm\nsti")
	if got := logOf(t, e.until("log", "sti")); got != "1 head [s]; 2 warm <b f3> +1; 3 sti <b f3> +1" {
		t.Errorf("got %s", got)
	}
	s.write(a, "ll\x1b[0m\n")
	last := e.until("log", "still")
	if got := logOf(t, last); got != "3 still <b f3> +1" {
		t.Errorf("got %s", got)
	}
	e.close()

	s.write(a, "more\nsection_end:1700000007:one\r\x1b[0K\n")
	again := s.events(s.developer, path+"/events?after="+after, map[string]string{"Last-Event-ID": last.id})
	if got := logOf(t, again.until("log", "more")); got != "4 more +1; 1 took 7 s" {
		t.Errorf("resumed: got %s", got)
	}
	s.write(a, "<script>alert(1)</script>")
	s.runner.Finish(a, true)
	events := map[string]string{}
	for e := again.next(); ; e = again.next() {
		if e.name == "end" {
			break
		}
		if e.name == "log" {
			events["log"] = logOf(t, e)
		}
		events[e.name+" data"] += e.data
	}
	if events["log"] != "6 <script>alert(1)</script>" || strings.Contains(events["log data"], "<script") || !strings.Contains(events["swap data"], "Passed") {
		t.Errorf("got %v", events)
	}

	over := s.events(s.developer, path+"/events", nil)
	over.until("swap", "Passed")
	over.until("end", "")
	for _, odd := range []string{"x", "bm90IGpzb24", strings.Repeat("A", 9000), "eyJvIjotMSwibiI6MX0"} {
		if got := s.events(s.developer, path+"/events?after="+odd, nil); got.answer.StatusCode != http.StatusBadRequest {
			t.Errorf("after=%.20s: got status %d", odd, got.answer.StatusCode)
		}
	}
}

// logOf writes the rows of an event down: number, text, styles, depth.
func logOf(t *testing.T, e event) string {
	t.Helper()
	var log struct {
		Rows []struct {
			N int64
			D int
			S bool
			X [][2]string
		}
		Ends []struct {
			N int64
			K string
		}
	}
	enginetest.Check(t, json.Unmarshal([]byte(e.data), &log))
	var words []string
	for _, r := range log.Rows {
		text, look := fmt.Sprintf("%d ", r.N), ""
		for _, x := range r.X {
			text += x[1]
			if x[0] != "" {
				look = " <" + x[0] + ">"
			}
		}
		if r.S {
			look += " [s]"
		}
		if r.D > 0 {
			look += fmt.Sprintf(" +%d", r.D)
		}
		words = append(words, text+look)
	}
	for _, end := range log.Ends {
		words = append(words, fmt.Sprintf("%d took %s", end.N, end.K))
	}
	return strings.Join(words, "; ")
}

// TestStreamsLiveAndEnd holds that a quiet stream shows that it lives, and ends with
// the server and with what it shows.
func TestStreamsLiveAndEnd(t *testing.T) {
	s := newScene(t, "compile:\n  script: make\n")
	e := s.events(s.developer, s.path("/-/pipelines/%d/events", s.pipeline.ID), nil)
	e.until("swap", "Pending")
	for pings := 0; pings < 3; {
		line, err := e.lines.ReadString('\n')
		enginetest.Check(t, err)
		if line == ":ping\n" {
			pings++
		}
	}
	gone := s.events(s.maintainer, s.path("/-/pipelines/%d/events", s.pipeline.ID), nil)
	gone.until("swap", "Pending")
	enginetest.Check(t, s.Engine.DeletePipeline(t.Context(), engine.Caller{User: s.Root.User}, s.project, s.pipeline.ID, nil))
	gone.until("end", "")
	e.until("end", "")

	pipeline := s.Started(s.project, s.token, "main")
	drained := s.events(s.developer, s.path("/-/pipelines/%d/events", pipeline.ID), nil)
	drained.until("swap", "Pending")
	s.Hub.Close()
	if rest := drained.rest(); strings.Contains(rest, "event: end") {
		t.Errorf("a server that drains says that nothing more will come: %s", rest)
	}
}
