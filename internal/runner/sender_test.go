package runner

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestResync(t *testing.T) {
	s := newFakeServer(t)
	var times atomic.Int32
	s.respond(func(c call, w http.ResponseWriter) bool {
		if !c.is("PATCH") {
			return false
		}
		switch times.Add(1) {
		case 2: // stored nothing of this one, and lost the end of the one before
			s.mu.Lock()
			s.log[101] = s.log[101][:len(s.log[101])/2]
			s.mu.Unlock()
		case 4: // stored all of it, but the answer was lost
			s.mu.Lock()
			s.log[101] = append(s.log[101], c.body...)
			s.mu.Unlock()
			w.WriteHeader(502)
			return true
		}
		return false
	})
	final, log := s.runOne(newPayload("for i in $(seq 8); do echo line $i; sleep 0.1; done"))
	if final.Output.Bytesize != int64(len(log)) {
		t.Errorf("got %d bytes reported, %d stored", final.Output.Bytesize, len(log))
	}
	var want strings.Builder
	for i := range 8 {
		fmt.Fprintf(&want, "line %d\n", i+1)
	}
	wantContains(t, log, want.String())
	if times.Load() < 5 {
		t.Errorf("got %d PATCHes, want the scenario to be played", times.Load())
	}
}

func TestServerAway(t *testing.T) {
	s := newFakeServer(t)
	var away atomic.Bool
	s.respond(func(c call, w http.ResponseWriter) bool {
		if !away.Load() {
			return false
		}
		if c.is("PATCH") {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		w.WriteHeader(503)
		return true
	})
	job := newPayload("echo before; sleep 0.3; echo during; echo x > out.txt; sleep 0.2; echo after")
	job.Artifacts = []artifact{{Name: "x", Paths: []string{"out.txt"}}}
	s.enqueue(job)
	s.testRunner()
	s.waitLog(101, "before\n")
	away.Store(true)
	s.waitFor("an upload that fails", func() bool { return len(s.called("POST /jobs/101/artifacts")) > 1 })
	away.Store(false)
	final := s.waitFinal(101)
	if final.State != "success" || final.Output.Bytesize != int64(len(s.logOf(101))) {
		t.Errorf("got %+v, want success and all of the log", final)
	}
	wantContains(t, s.logOf(101), "during\nafter\n", "Job succeeded")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.uploads) != 1 {
		t.Errorf("got %d uploads, want 1", len(s.uploads))
	}
}

func TestFinalUpdate(t *testing.T) {
	for _, c := range []struct {
		name   string
		codes  []int
		header string
		want   int // PUTs with a final state
	}{
		{"accepted first", []int{202, 202, 200}, "1", 3},
		{"server error", []int{500, 503, 200}, "", 3},
		{"validation failed", []int{412, 200}, "", 2},
		{"refused", []int{403}, "", 1},
		{"gone", []int{404}, "", 1},
		{"bad request", []int{400}, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newFakeServer(t)
			var n atomic.Int32
			s.respond(func(r call, w http.ResponseWriter) bool {
				if !r.is("PUT") || strings.Contains(string(r.body), `"running"`) {
					return false
				}
				i := int(n.Add(1)) - 1
				code := c.codes[min(i, len(c.codes)-1)]
				if code == 412 {
					s.mu.Lock()
					s.log[101] = nil
					s.mu.Unlock()
				}
				if c.header != "" {
					w.Header().Set("X-GitLab-Trace-Update-Interval", c.header)
				}
				w.WriteHeader(code)
				return true
			})
			s.enqueue(newPayload("echo hi"))
			stop := s.testRunner()
			began := time.Now()
			s.waitFor("the updates", func() bool { return int(n.Load()) >= c.want })
			took := time.Since(began)
			s.waitFor("the next poll", func() bool {
				calls := s.called("P")
				return calls[len(calls)-1].is("POST /jobs/request")
			})
			stop()
			if int(n.Load()) != c.want {
				t.Errorf("got %d final updates, want %d", n.Load(), c.want)
			}
			if c.header == "1" && took < 2*time.Second {
				t.Errorf("repeated after %v, want the second that the server asked for between each", took)
			}
			if !strings.HasSuffix(s.logOf(101), "Job succeeded\x1b[0;m\n") {
				t.Errorf("the log is not whole: %q", s.logOf(101))
			}
		})
	}
}

func TestKeepAlive(t *testing.T) {
	s := newFakeServer(t)
	s.enqueue(newPayload("echo quiet; sleep 2"))
	s.testRunner(func(r *Runner) { r.timing.touch = 100 * time.Millisecond })
	s.waitFinal(101)
	var beats int
	for _, c := range s.called("PUT")[1:] {
		var u jobUpdate
		if err := json.Unmarshal(c.body, &u); err != nil {
			t.Fatal(err)
		}
		if u.State == "running" {
			beats++
			if u.Output.Bytesize == 0 || !strings.HasPrefix(u.Output.Checksum, "crc32:") {
				t.Errorf("got %+v, want size and checksum", u.Output)
			}
		}
	}
	if beats < 3 { // 20 on an idle machine
		t.Errorf("got %d signs of life in two seconds of silence, want one each 100 ms", beats)
	}
}

// A silent job learns from the answer to its sign of life that it was canceled.
func TestCancelOfSilentJob(t *testing.T) {
	s := newFakeServer(t)
	s.enqueue(newPayload("echo quiet; sleep 100"))
	s.testRunner(func(r *Runner) { r.timing.touch = 100 * time.Millisecond })
	s.waitLog(101, "quiet\n")
	s.setStatus("canceling")
	if final := s.waitFinal(101); final.FailureReason != "job_canceled" {
		t.Errorf("got %+v, want job_canceled", final)
	}
}

func TestRemoteServerGetsItsInterval(t *testing.T) {
	s := newFakeServer(t)
	s.enqueue(newPayload("for i in $(seq 15); do echo $i; sleep 0.1; done"))
	s.testRunner(func(r *Runner) {
		r.timing.interval = time.Second
		r.client.base = strings.Replace(r.client.base, "127.0.0.1", "lanyard.localhost", 1)
		r.client.http.Transport = &http.Transport{DialContext: dialer(s.http.Listener.Addr().String())}
	})
	s.waitFinal(101)
	if n := len(s.called("PATCH")); n > 5 {
		t.Errorf("got %d PATCHes in two seconds, want about one a second at most", n)
	}
}

func TestLogLimit(t *testing.T) {
	s := newFakeServer(t)
	final, log := s.runOne(newPayload("head -c 100000 /dev/zero | tr '\\0' x"), func(r *Runner) { r.config.OutputLimit = 5000 })
	if final.State != "success" || final.Output.Bytesize != int64(len(log)) {
		t.Errorf("got %+v, want success", final)
	}
	if len(log) > 5200 || !strings.HasSuffix(log, "The log reached its limit of 5000 bytes and is cut here; the job goes on.\x1b[0;m\n") {
		t.Errorf("got %d bytes ending %q", len(log), log[max(0, len(log)-100):])
	}
}

func TestSecretsAreMaskedBeforeTheyLeave(t *testing.T) {
	s := newFakeServer(t)
	s.enqueue(newPayload(
		"echo $SECRET", "printf 's3cr3t'; sleep 0.4; printf 'value\\n'", "echo $CI_JOB_TOKEN glpat-abcdef.", "echo $SECRET | base64",
	).with(variable{Key: "SECRET", Value: "s3cr3tvalue", Masked: true}, variable{Key: "CI_JOB_TOKEN", Value: "jobtok-101"}))
	stop := s.testRunner()
	s.waitFinal(101)
	stop()
	log := s.logOf(101)
	wantContains(t, log, "\n[MASKED]\n", "[MASKED] glpat-[MASKED]\n")
	wantMissing(t, log, "s3cr3tvalue", "jobtok-101")
	if n := strings.Count(log, mark); n < 4 {
		t.Errorf("got %d marks, want 4: the secret in two writes must be found too", n)
	}
	for _, c := range s.called("") {
		if c.is("PATCH") && strings.Contains(string(c.body), "s3cr3tvalue") {
			t.Error("the secret left the runner")
		}
		if strings.Contains(c.path, "jobtok") || strings.Contains(c.path, "glrt-") {
			t.Errorf("a token is in a URL: %s", c.path)
		}
	}
}

// However the network cuts and loses, the server ends up with the same bytes.
func TestTraceIsReadInPieces(t *testing.T) {
	tr, err := openTrace(t.TempDir(), newMasker(nil, nil), outputLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	text := strings.Repeat("0123456789", 1000)
	for piece := range slices.Chunk([]byte(text), 37) {
		_, _ = tr.Write(piece)
	}
	tr.end()
	var got []byte
	for {
		chunk, err := tr.from(int64(len(got)), 999)
		if err != nil {
			t.Fatal(err)
		}
		if len(chunk) == 0 {
			break
		}
		got = append(got, chunk...)
	}
	if string(got) != text || tr.summary().Bytesize != int64(len(text)) {
		t.Errorf("got %d bytes, want %d", len(got), len(text))
	}
}

func TestLiveLog(t *testing.T) {
	s := newFakeServer(t)
	s.enqueue(newPayload("echo first; sleep 0.5; echo at=$(date +%s%N); sleep 3"))
	s.testRunner()
	s.waitLog(101, "\nat=")
	var nanos int64
	fmt.Sscanf(between(s.logOf(101), "\nat=", "\n"), "%d", &nanos)
	late := time.Since(time.Unix(0, nanos))
	if late > time.Second { // 200 ms is the aim, three seconds is the interval; the rest is for a busy machine
		t.Errorf("a line took %v to the server", late)
	}
}
