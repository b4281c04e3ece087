package telemetry

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// filled has everything counted once, and sources whose database answers err.
func filled(err error) *Metrics {
	m := New("1.2.3", "abc")
	m.Request("GET", "/api/v4/projects/{id}", 404, 30*time.Millisecond)
	m.PipelineCreated("trigger")
	m.JobEnded("failed")
	m.LogBytes(7)
	m.Committed(Main)(3, 2*time.Millisecond)
	m.Watch(Sources{
		Work:    func(context.Context) (int64, int64, error) { return 5, 2, err },
		Waiting: func() int { return 4 },
		Queued:  func() map[string]int { return map[string]int{Main: 9} },
		Pools: func() map[string]sql.DBStats {
			return map[string]sql.DBStats{"read": {MaxOpenConnections: 8, InUse: 1, Idle: 3, WaitCount: 6, WaitDuration: 1500 * time.Millisecond}}
		},
	})
	return m
}

// scrape gives what Prometheus gets, and what is logged meanwhile.
func scrape(m *Metrics) (status int, body, log string) {
	var logged bytes.Buffer
	w := httptest.NewRecorder()
	m.Handler(slog.New(slog.NewTextHandler(&logged, nil))).ServeHTTP(w, httptest.NewRequest("GET", "/-/metrics", nil))
	return w.Code, w.Body.String(), logged.String()
}

func TestMetrics(t *testing.T) {
	status, body, log := scrape(filled(nil))
	if status != 200 || log != "" {
		t.Fatalf("got %d, log %q", status, log)
	}
	for _, want := range []string{
		`lanyard_build_info{commit="abc",version="1.2.3"} 1`,
		`lanyard_http_requests_total{code="404",method="GET",route="/api/v4/projects/{id}"} 1`,
		`lanyard_http_request_duration_seconds_bucket{method="GET",route="/api/v4/projects/{id}",le="0.025"} 0`,
		`lanyard_http_request_duration_seconds_bucket{method="GET",route="/api/v4/projects/{id}",le="0.05"} 1`,
		`lanyard_pipelines_created_total{source="trigger"} 1`,
		`lanyard_jobs_ended_total{status="failed"} 1`,
		`lanyard_log_bytes_total 7`,
		`lanyard_writer_commit_writes_sum{database="main"} 3`,
		`lanyard_writer_commit_seconds_sum{database="main"} 0.002`,
		`lanyard_writer_queue{database="main"} 9`,
		`lanyard_jobs{state="pending"} 5`,
		`lanyard_jobs{state="running"} 2`,
		`lanyard_runners_waiting 4`,
		`lanyard_database_connections{pool="read",state="in_use"} 1`,
		`lanyard_database_connections{pool="read",state="idle"} 3`,
		`lanyard_database_connections_limit{pool="read"} 8`,
		`lanyard_database_waits_total{pool="read"} 6`,
		`lanyard_database_wait_seconds_total{pool="read"} 1.5`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	for _, want := range []string{"\ngo_goroutines ", "\nprocess_start_time_seconds "} {
		if !strings.Contains(body, want) {
			t.Errorf("nothing begins with %q", want)
		}
	}
}

// TestSourceFails holds that one source takes nothing else with it.
func TestSourceFails(t *testing.T) {
	status, body, log := scrape(filled(errors.New("database is away")))
	if status != 200 || !strings.Contains(log, "database is away") {
		t.Errorf("got %d, log %q", status, log)
	}
	if strings.Contains(body, "lanyard_jobs{") || !strings.Contains(body, "lanyard_runners_waiting 4\n") || !strings.Contains(body, "lanyard_writer_queue") {
		t.Errorf("got\n%s", body)
	}
}

// TestDocumented holds that docs/operate.md has a row for each metric, and for no
// other.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	names := func(pattern, text string) []string {
		found := map[string]bool{}
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	_, body, _ := scrape(filled(nil))
	got, want := names("(?m)^\\| `(lanyard_[a-z_]+)` \\|", string(doc)), names(`(?m)^# TYPE (lanyard_[a-z_]+) `, body)
	if !slices.Equal(got, want) || len(want) < 10 {
		t.Errorf("documented are %v, shown are %v", got, want)
	}
}

func BenchmarkRequest(b *testing.B) {
	m := New("", "")
	b.ReportAllocs()
	for b.Loop() {
		m.Request("POST", "/api/v4/projects/{id}/trigger/pipeline", 201, 3*time.Millisecond)
	}
}
