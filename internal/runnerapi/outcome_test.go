package runnerapi

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A job whose needs have lost their artifacts fails instead of running without.
func TestMissingDependencies(t *testing.T) {
	const config = `
stages: [a, b, c]
make: {stage: a, script: [x], artifacts: {paths: [o], expire_in: 2 mins}}
wait: {stage: b, script: [x], dependencies: []}
use: {stage: c, script: [x]}
ignore: {stage: c, script: [x], dependencies: []}
`
	for name, lose := range map[string]func(w *world, make ci.Job){
		"nothing is lost": func(*world, ci.Job) {},
		"expired":         func(w *world, _ ci.Job) { w.later(3 * time.Minute) },
		"expired and removed": func(w *world, _ ci.Job) {
			w.later(3 * time.Minute)
			w.background()
		},
		"erased": func(w *world, make ci.Job) {
			if _, err := w.engine.EraseJob(w.t.Context(), w.root, w.project, make.ID); err != nil {
				w.t.Fatal(err)
			}
		},
		"kept": func(w *world, make ci.Job) {
			if _, err := w.engine.KeepArtifacts(w.t.Context(), w.root, w.project, make.ID); err != nil {
				w.t.Fatal(err)
			}
			w.later(3 * time.Minute)
			w.background()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, config, options{})
			_, token := w.runner(engine.RunnerSettings{})
			pipeline, jobs := w.start()
			first := w.take(token)
			path := fmt.Sprintf("/api/v4/jobs/%d/artifacts?artifact_type=archive&artifact_format=zip&expire_in=2+mins", first.id)
			body, mediaType := form("a.zip", []byte("zip"))
			a, err := w.do(t.Context(), "POST", path, body, "Content-Type: "+mediaType, "Job-Token: "+first.token)
			if err != nil || a.status != 201 {
				t.Fatalf("upload: got %d %s, %v", a.status, a.body, err)
			}
			w.finish(first, "success")
			w.finish(w.take(token), "success")
			lose(w, jobs["make"])
			taken := map[string]bool{}
			p := poller{world: w, token: token}
			for a, _ := p.ask(t.Context()); a.status == 201; a, _ = p.ask(t.Context()) {
				job, _ := a.field("job_info", "name").(string)
				taken[job] = true
			}
			good := name == "nothing is lost" || name == "kept"
			if taken["use"] != good || !taken["ignore"] {
				t.Errorf("taken: got %v", taken)
			}
			if got := w.jobs(pipeline.ID)["use"]; !good && (got.Status != ci.Failed || got.FailureReason != ci.MissingDependencyFailure) {
				t.Errorf("use: got %s %s", got.Status, got.FailureReason)
			}
			w.check()
		})
	}
}

func TestCoverage(t *testing.T) {
	w := newWorld(t, "build: {script: [make], coverage: '/total: \\d+(\\.\\d+)?%/'}\n", options{})
	_, token := w.runner(engine.RunnerSettings{})
	for _, c := range []struct {
		log  string
		want string
	}{
		{"nothing\n", "<nil>"},
		{"total: 7%\n", "7"},
		{"total: 1%\nmore total: 2% total: 085.50%\nbye\n", "85.5"},
		{"\x1b[32mtotal: 12.5%\x1b[0m", "12.5"},
		{"total: 0%\n", "0"},
	} {
		job := w.takeNew(token)
		w.patch(job, 0, c.log)
		w.finish(job, "success")
		got := "<nil>"
		if coverage := w.job(job.id).Coverage; coverage != nil {
			got = fmt.Sprint(*coverage)
		}
		if got != c.want {
			t.Errorf("%q: got %s, want %s", c.log, got, c.want)
		}
	}
}

func TestChecksums(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	const differs = "the log of a job differs"
	report := func(checksum string) {
		t.Helper()
		job := w.takeNew(token)
		w.patch(job, 0, "hello "+job.token)
		if checksum == "" {
			checksum = fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE([]byte("hello "+job.token)))
		}
		a := w.send("PUT", fmt.Sprintf("/api/v4/jobs/%d", job.id), map[string]any{
			"token": job.token, "state": "success", "output": map[string]any{"checksum": checksum, "bytesize": 6 + len(job.token)},
		})
		expect(t, checksum, a, 200, "200")
	}
	report("")
	if strings.Contains(w.logged(), differs) {
		t.Error("a right checksum was found wrong")
	}
	report("crc32:12345678")
	if !strings.Contains(w.logged(), differs) {
		t.Error("a wrong checksum was not told")
	}
}

// A log that is sent in any pieces, some of them twice or from the wrong place,
// comes out as it is.
func TestLogInAnyPieces(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	rapid.Check(t, func(r *rapid.T) {
		job := w.takeNew(token)
		log := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "log")
		if rapid.Bool().Draw(r, "token") {
			log = append(log, job.token...)
		}
		for sent := 0; sent < len(log); {
			from := max(0, sent+rapid.IntRange(-3, 1).Draw(r, "shift"))
			end := min(len(log), from+rapid.IntRange(1, 80).Draw(r, "piece"))
			if from >= end {
				continue
			}
			a := w.patch(job, from, string(log[from:end]))
			want, status := sent, 416
			if from == sent {
				want, status = end, 202
			}
			if got := a.header.Get("Range"); a.status != status || got != fmt.Sprintf("0-%d", want) {
				r.Fatalf("from %d of %d: got %d %s, want %d 0-%d", from, sent, a.status, got, status, want)
			}
			sent = want
		}
		w.finish(job, "success")
		want := strings.ReplaceAll(string(log), job.token, strings.Repeat("x", len(job.token)))
		if got := w.log(job.id); got != want {
			r.Fatalf("got %q, want %q", got, want)
		}
	})
}

// FuzzJobRequest: whatever a runner says, the server neither breaks nor hands out a
// job without a token.
func FuzzJobRequest(f *testing.F) {
	w := newWorld(f, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	for _, seed := range []string{
		`{}`, `{"token":"T"}`, `{"token":"T","info":{"features":{"cancel_gracefully":1}}}`, `{"token":"T","info":[1]}`, `{"token":["T"]}`,
		`{"token":"T","system_id":{"a":1},"info":"x"}`, `{"token":"T","info":{"features":[true]},"last_update":7}`, `[`, `"T"`, `token=T&info[features][image]=x`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		contentType := "Content-Type: application/json"
		if !strings.HasPrefix(body, "{") {
			contentType = "Content-Type: application/x-www-form-urlencoded"
		}
		a, err := w.do(t.Context(), "POST", "/api/v4/jobs/request", strings.NewReader(strings.ReplaceAll(body, "T", token)), contentType)
		if err != nil {
			t.Fatal(err)
		}
		if a.status >= 500 || a.status == 201 {
			t.Errorf("%s: got %d %s", body, a.status, a.body)
		}
	})
}

// FuzzContentRange: only a number before the first hyphen is where a piece begins.
func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"", "0-5", "5", "-5", "x-1", "0-5/6", " 7 -9", "9223372036854775808-1", "+1-2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		start, err := rangeStart(header)
		if start < 0 || err != nil && (start != 0 || ci.KindOf(err) != ci.KindBadParam) {
			t.Errorf("%q: got %d, %v", header, start, err)
		}
	})
}
