package telemetry

import (
	"context"
	"database/sql"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sources are asked at each scrape. All are required and may be called at once.
type Sources struct {
	Work    func(ctx context.Context) (pending, held int64, err error) // jobs that wait for a runner, and that runners have
	Waiting func() int                                                 // requests of runners that are held until a job comes
	Queued  func() map[string]int                                      // writes that wait, by database
	Pools   func() map[string]sql.DBStats                              // connections, by pool
}

// scrapeTime is how long the database may take to answer one scrape.
const scrapeTime = 2 * time.Second

// Watch adds what the sources tell. It may be called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(&watcher{s}) }

// A watcher is a prometheus.Collector.
type watcher struct{ Sources }

var (
	jobsDesc        = desc("jobs", "Jobs that wait for a runner (pending) or that a runner has (running).", "state")
	waitingDesc     = desc("runners_waiting", "Requests of runners that this process holds until a job comes.")
	queuedDesc      = desc("writer_queue", "Writes that wait for the next commit.", "database")
	connsDesc       = desc("database_connections", "Connections to a database.", "pool", "state")
	connsLimitDesc  = desc("database_connections_limit", "Connections that a pool may have.", "pool")
	waitsDesc       = desc("database_waits_total", "Times that somebody waited for a connection.", "pool")
	waitSecondsDesc = desc("database_wait_seconds_total", "Time that was spent waiting for a connection.", "pool")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (w *watcher) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, waitingDesc, queuedDesc, connsDesc, connsLimitDesc, waitsDesc, waitSecondsDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (w *watcher) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	if pending, held, err := w.Work(ctx); err != nil {
		out <- prometheus.NewInvalidMetric(jobsDesc, err)
	} else {
		gauge(jobsDesc, float64(pending), "pending")
		gauge(jobsDesc, float64(held), "running")
	}
	gauge(waitingDesc, float64(w.Waiting()))
	for database, n := range w.Queued() {
		gauge(queuedDesc, float64(n), database)
	}
	for pool, s := range w.Pools() {
		gauge(connsDesc, float64(s.InUse), pool, "in_use")
		gauge(connsDesc, float64(s.Idle), pool, "idle")
		gauge(connsLimitDesc, float64(s.MaxOpenConnections), pool)
		out <- prometheus.MustNewConstMetric(waitsDesc, prometheus.CounterValue, float64(s.WaitCount), pool)
		out <- prometheus.MustNewConstMetric(waitSecondsDesc, prometheus.CounterValue, s.WaitDuration.Seconds(), pool)
	}
}

var _ prometheus.Collector = (*watcher)(nil)
