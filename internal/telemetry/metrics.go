// Package telemetry counts what the server does, for Prometheus.
//
// Two nouns: Metrics are counters that others are told to increase through plain
// functions, so that no other room knows Prometheus; Sources are asked, once for
// each scrape, for what is so at that moment.
//
// The package refuses labels that callers of the server could make many of: a
// route is a pattern, a source and a status are words of the program. What each
// metric means is in docs/operate.md.
package telemetry

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Names of the databases in labels.
const (
	Main = "main" // all but the tails of logs
	Logs = "logs"
)

// Metrics are all that is counted by one process. Its methods may be called from
// any goroutine and never wait.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	pipelines *prometheus.CounterVec
	jobs      *prometheus.CounterVec
	logBytes  prometheus.Counter
	writes    *prometheus.HistogramVec
	commits   *prometheus.HistogramVec
}

// New makes metrics, all of them zero, with the version in one of them.
func New(version, commit string) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		requests:  counters("http_requests_total", "Requests that were answered.", "method", "route", "code"),
		durations: histograms("http_request_duration_seconds", "Time from a request's header to the end of its answer; long polls and streams wait on purpose.", durationBuckets, "method", "route"),
		pipelines: counters("pipelines_created_total", "Pipelines that this process created.", "source"),
		jobs:      counters("jobs_ended_total", "Jobs that this process saw end.", "status"),
		logBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: namespace + "log_bytes_total", Help: "Bytes that runners added to the logs of jobs.",
		}),
		writes:  histograms("writer_commit_writes", "Writes that shared one commit.", prometheus.ExponentialBuckets(1, 2, 8), "database"),
		commits: histograms("writer_commit_seconds", "Time of one commit, with the statements in it.", durationBuckets, "database"),
	}
	about := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: namespace + "build_info", Help: "1, with the version of the program.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit},
	})
	about.Set(1)
	m.registry.MustRegister(m.requests, m.durations, m.pipelines, m.jobs, m.logBytes, m.writes, m.commits, about,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "lanyard_"

// durationBuckets reach from a row that is read to a long poll of 50 s.
var durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, labels)
}

// Request counts an answered request. route is the pattern that matched.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(method, route).Observe(took.Seconds())
}

// PipelineCreated counts a pipeline by what started it.
func (m *Metrics) PipelineCreated(source string) { m.pipelines.WithLabelValues(source).Inc() }

// JobEnded counts a job by how it ended.
func (m *Metrics) JobEnded(status string) { m.jobs.WithLabelValues(status).Inc() }

// LogBytes counts what runners added to logs.
func (m *Metrics) LogBytes(n int) { m.logBytes.Add(float64(n)) }

// Committed gives what counts the commits of a database.
func (m *Metrics) Committed(database string) func(writes int, took time.Duration) {
	writes, commits := m.writes.WithLabelValues(database), m.commits.WithLabelValues(database)
	return func(n int, took time.Duration) {
		writes.Observe(float64(n))
		commits.Observe(took.Seconds())
	}
}

// Handler shows the metrics in Prometheus's text form. What a source cannot tell is
// left out and logged.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
	})
}
