// Package postgres_test measures triggers on PostgreSQL as a ratio: a yardstick
// that is one statement and nothing else, and the server, take turns on the same
// private cluster, whose commits are on disk before they are answered. Times mean
// something only as ratios within one run: callers, server and database share the
// machine's cores.
package postgres_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/api"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

var (
	rounds = flag.Int("rounds", 3, "how often each takes its turn")
	turn   = flag.Duration("turn", 3*time.Second, "how long a turn is")
)

const callers = 32

// configuration has five jobs, as the yardstick has.
const configuration = `stages: [build, test]
build: {stage: build, script: [make build, make test], image: "golang:1.26"}
unit: {stage: test, script: [make build, make test], image: "golang:1.26"}
lint: {stage: test, script: [make build, make test], image: "golang:1.26"}
integration: {stage: test, script: [make build, make test], image: "golang:1.26"}
deploy: {stage: test, script: [make build, make test], image: "golang:1.26", when: manual}
`

// BenchmarkTriggerRatio is run once: -benchtime 1x.
func BenchmarkTriggerRatio(b *testing.B) {
	cluster, err := postgres.Start(postgres.Config{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			b.Error(err)
		}
	})
	least := yardstick(b, cluster.New(b, ""))
	w := enginetest.New(b, enginetest.Config{Database: cluster.New(b, ""), Now: time.Now})
	whole := server(b, w)
	var ratios []float64
	for range b.N {
		for range *rounds {
			base := rate(b, least)
			statements := w.Statements.Count()
			got := rate(b, whole)
			fmt.Fprintf(os.Stderr, "yardstick %s\nserver    %s, %.1f statements\nratio     %.2f\n", base, got,
				float64(w.Statements.Count()-statements)/float64(len(got.times)), got.perSecond()/base.perSecond())
			ratios = append(ratios, got.perSecond()/base.perSecond())
		}
	}
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratios[0], "least-ratio")
	b.ReportMetric(ratios[len(ratios)/2], "median-ratio")
}

// server gives one trigger call over HTTP, each to one of several projects.
func server(b *testing.B, w *enginetest.World) func(context.Context) error {
	b.Helper()
	rest, err := api.New(api.Config{
		Engine: w.Engine, View: w.View, Blobs: w.Blobs, Git: w.Git, Traces: w.Traces, Hub: w.Hub, URLs: w.URLs,
		Limiter: wire.NewLimiter(wire.LimiterConfig{}), Now: time.Now, Logger: w.Logger,
	})
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	rest.Routes(mux)
	s := httptest.NewServer(wire.New(wire.Config{URLs: w.URLs, API: mux, Log: w.Logger}))
	b.Cleanup(s.Close)
	type target struct{ url, body string }
	var targets []target
	for i := range 8 {
		p := w.Project(fmt.Sprint("hello", i), ".gitlab-ci.yml", configuration)
		token := w.TriggerToken(p, w.Someone(p, ci.Developer))
		targets = append(targets, target{
			url:  fmt.Sprintf("%s/api/v4/projects/%d/trigger/pipeline", s.URL, p.ID),
			body: "token=" + token + "&ref=main&variables[A]=1&variables[B]=2&variables[C]=3&variables[D]=4&variables[E]=5",
		})
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	b.Cleanup(client.CloseIdleConnections)
	var next atomic.Int64
	return func(ctx context.Context) error {
		to := targets[int(next.Add(1))%len(targets)]
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, strings.NewReader(to.body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusCreated {
			err = fmt.Errorf("trigger answered %d: %s", answer.StatusCode, text)
		}
		return err
	}
}

// A result is what one turn came to.
type result struct {
	times []time.Duration // sorted
	took  time.Duration
}

func (r result) perSecond() float64 { return float64(len(r.times)) / r.took.Seconds() }

// String gives rate and latencies.
func (r result) String() string {
	n := len(r.times)
	return fmt.Sprintf("%6.0f triggers/s, p50 %6.2f ms, p99 %6.2f ms", r.perSecond(), milliseconds(r.times[n/2]), milliseconds(r.times[n*99/100]))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// rate lets callers trigger side by side for one turn.
func rate(b *testing.B, trigger func(context.Context) error) result {
	b.Helper()
	times := make([][]time.Duration, callers)
	var stop atomic.Bool
	var group sync.WaitGroup
	start := time.Now()
	for i := range callers {
		group.Go(func() {
			for !stop.Load() {
				begun := time.Now()
				if err := trigger(b.Context()); err != nil {
					b.Error(err)
					return
				}
				times[i] = append(times[i], time.Since(begun))
			}
		})
	}
	time.Sleep(*turn)
	stop.Store(true)
	group.Wait()
	took := time.Since(start)
	if b.Failed() {
		b.FailNow()
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	return result{all, took}
}
