// Command load measures a real server from outside: triggers a second, how soon a
// waiting runner holds a job, how soon the server is ready, and what it weighs
// when idle. It starts the built binary on a folder of its own, talks HTTP to it
// on 127.0.0.1 and stops it again. docs/benchmarks.md says how to read it.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const rootToken = "glpat-load-0123456789abcdef"

// configuration has five jobs, as the yardstick has.
const configuration = `stages: [build, test]
build: {stage: build, script: [make build, make test], image: "golang:1.26"}
unit: {stage: test, script: [make build, make test], image: "golang:1.26"}
lint: {stage: test, script: [make build, make test], image: "golang:1.26"}
integration: {stage: test, script: [make build, make test], image: "golang:1.26"}
deploy: {stage: test, script: [make build, make test], image: "golang:1.26", when: manual}
`

func main() {
	log.SetFlags(0)
	binary := flag.String("binary", "bin/lanyard", "program to measure")
	clients := flag.Int("c", 32, "concurrent callers")
	dur := flag.Duration("t", 3*time.Second, "how long to trigger")
	waits := flag.Int("waits", 200, "how many times a waiting runner is measured")
	flag.Parse()

	dir, err := os.MkdirTemp("", "load")
	check(err)
	defer os.RemoveAll(dir)
	s := start(*binary, dir)
	defer func() { s.kill() }()
	project, token := s.setUp()
	triggers(s, project, token, *clients, *dur)
	s.stop()

	s = start(*binary, dir) // on an existing database
	fmt.Printf("ready in %v, idle memory %.1f MiB\n", s.ready.Round(time.Millisecond), s.memory())
	waiting(s, token, *waits)
	s.stop()
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

// triggers runs callers side by side for a while and prints rate and latencies.
func triggers(s *server, project int64, token string, clients int, dur time.Duration) {
	url := fmt.Sprintf("%s/api/v4/projects/%d/trigger/pipeline", s.url, project)
	body := "token=" + token + "&ref=main&variables[A]=1&variables[B]=2&variables[C]=3&variables[D]=4&variables[E]=5"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	times := make([][]time.Duration, clients)
	var stop atomic.Bool
	var group sync.WaitGroup
	begun := time.Now()
	for i := range clients {
		group.Go(func() {
			for !stop.Load() {
				t := time.Now()
				resp, err := client.Post(url, "application/x-www-form-urlencoded", strings.NewReader(body))
				check(err)
				data, err := io.ReadAll(resp.Body)
				check(err)
				resp.Body.Close()
				if resp.StatusCode != http.StatusCreated {
					log.Panicf("trigger answered %d: %s", resp.StatusCode, data)
				}
				times[i] = append(times[i], time.Since(t))
			}
		})
	}
	time.Sleep(dur)
	stop.Store(true)
	group.Wait()
	all := slices.Concat(times...)
	fmt.Printf("c=%d: %.0f triggers/s %s\n", clients, float64(len(all))/time.Since(begun).Seconds(), spread(all))
}

// spread gives median and tail of a list of durations.
func spread(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("p50 %v p99 %v n=%d", all[len(all)/2].Round(10*time.Microsecond), all[len(all)*99/100].Round(10*time.Microsecond), len(all))
}

// waiting measures from the trigger call being sent to a waiting runner holding
// the job: one runner in a long poll, one project, one job a pipeline.
func waiting(s *server, _ string, n int) {
	project, token := s.project("single", "job: {script: echo}\n")
	var runner struct{ Token string }
	s.call("POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": project, "description": "load"}, &runner)
	held := make(chan time.Time)
	ask, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		last := ""
		for range ask {
			for {
				job, cursor := s.request(runner.Token, last)
				last = cursor
				if job != nil {
					held <- time.Now()
					s.finish(*job)
					break
				}
			}
		}
	}()
	var all []time.Duration
	for range n {
		ask <- struct{}{}
		time.Sleep(5 * time.Millisecond) // the runner's request is on its way into the long poll
		t := time.Now()
		s.call("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, nil)
		all = append(all, (<-held).Sub(t))
	}
	close(ask)
	<-done
	fmt.Printf("trigger to a waiting runner holding the job: %s\n", spread(all))
}

// A job is what a runner needs to finish one.
type job struct {
	ID    int64  `json:"id"`
	Token string `json:"token"`
}

func (s *server) request(token, last string) (*job, string) {
	body, err := json.Marshal(map[string]any{"token": token, "system_id": "s_load", "last_update": last, "info": map[string]any{"name": "load"}})
	check(err)
	resp, err := http.Post(s.url+"/api/v4/jobs/request", "application/json", bytes.NewReader(body))
	check(err)
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil, resp.Header.Get("X-GitLab-Last-Update")
	case http.StatusCreated:
		var j job
		check(json.NewDecoder(resp.Body).Decode(&j))
		return &j, ""
	}
	log.Panicf("job request answered %d", resp.StatusCode)
	return nil, ""
}

func (s *server) finish(j job) {
	s.call("PUT", fmt.Sprintf("/jobs/%d", j.ID), map[string]any{"token": j.Token, "state": "success"}, nil)
}
