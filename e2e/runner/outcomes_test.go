//go:build runner_e2e

package runner

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outcomes is a pipeline in which jobs fail, try again, take too long and pass
// things on. MARKS is a folder that jobs leave marks in.
const outcomes = `
stages: [first, second]
allowed:
  stage: first
  script: [exit 42]
  allow_failure: {exit_codes: [41, 42]}
flaky:
  stage: first
  script:
    - test -e "$MARKS/flaky" || { touch "$MARKS/flaky"; exit 7; }
    - echo "second time"
  retry: {max: 2, exit_codes: [7]}
slow:
  stage: first
  timeout: 4 seconds
  script: [sleep 60]
  after_script: [touch "$MARKS/after-slow"]
  allow_failure: true
reports:
  stage: first
  script:
    - mkdir -p out
    - echo '<testsuite name="s" tests="1"><testcase name="c" classname="k" time="0.1"/></testsuite>' >out/junit.xml
    - echo "GREETING=hello from reports" >out/build.env
    - echo kept >out/kept.txt
    - echo scrap >out/scrap.tmp
    - exit 3
  allow_failure: true
  artifacts:
    name: "$CI_JOB_NAME-$CI_COMMIT_REF_SLUG"
    when: always
    expire_in: 2 days
    paths: [out/]
    exclude: [out/*.tmp]
    reports: {junit: out/junit.xml, dotenv: out/build.env}
warm:
  stage: first
  script:
    - mkdir -p vendor
    - echo "from the cache" >vendor/lib
  cache: {key: "$CI_COMMIT_REF_SLUG", paths: [vendor/]}
before-and-after:
  stage: first
  before_script: ['echo "before: $CI_JOB_STATUS"']
  script: [echo script]
  after_script: ['echo "after: $CI_JOB_STATUS"', exit 9]
payload:
  stage: first
  script:
    - echo "token $CI_JOB_TOKEN"
    - cat "$TRIGGER_PAYLOAD"
cold:
  stage: second
  script: [cat vendor/lib]
  cache: {key: "$CI_COMMIT_REF_SLUG", paths: [vendor/], policy: pull}
reader:
  stage: second
  dependencies: [reports]
  script:
    - echo "$GREETING"
    - cat out/kept.txt
    - test ! -e out/scrap.tmp
`

// TestOutcomes runs jobs that end in every way that a job itself decides on.
func TestOutcomes(t *testing.T) {
	w := newWorld(t)
	s := w.register(4, nil)
	s.start()
	p := w.project("outcomes", outcomes)
	marks := t.TempDir()
	pipeline := p.start(map[string]string{"MARKS": marks})
	jobs := p.finish(pipeline, "success")
	want := []string{
		"allowed failed script_failure", "before-and-after success", "cold success", "flaky failed script_failure", "flaky success",
		"payload success", "reader success", "reports failed script_failure", "slow failed job_execution_timeout", "warm success",
	}
	var got []string
	for _, j := range jobs {
		got = append(got, strings.TrimSpace(j.Name+" "+j.Status+" "+j.FailureReason))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got jobs\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	checkCodes(t, p, pipeline)
	checkReports(t, p, p.job(pipeline, "reports"))
	for name, text := range map[string]string{
		"cold": "\nfrom the cache\n", "reader": "\nhello from reports\n", "payload": "\ntoken [MASKED]\n",
	} {
		if log := p.log(p.job(pipeline, name).ID); !strings.Contains(log, text) {
			t.Errorf("no %q in the log of %s:\n%s", text, name, log)
		}
	}
	if log := p.log(p.job(pipeline, "payload").ID); !strings.Contains(log, `"MARKS"`) || strings.Contains(log, p.token) {
		t.Errorf("log of payload shows no payload, or the trigger token:\n%s", log)
	}
	log := p.log(p.job(pipeline, "before-and-after").ID)
	if !strings.Contains(log, "\nbefore: running\n") || !strings.Contains(log, "\nafter: success\n") {
		t.Errorf("log of before-and-after:\n%s", log)
	}
	if _, err := os.Stat(filepath.Join(marks, "after-slow")); err == nil {
		t.Error("after_script ran although the time was up")
	}
	found := s.complaints("after_script failed, but job will continue", "step_script could not run to completion because the timeout",
		"Error while executing file based variables removal script", // the time was up
		"Could not create cache adapter")                            // older ones, for want of a shared cache
	if len(found) > 0 {
		t.Errorf("the runner complains:\n%s", strings.Join(found, "\n"))
	}
}

// checkCodes holds what runners reported as the end of jobs that failed.
func checkCodes(t *testing.T, p project, pipeline int64) {
	t.Helper()
	for name, want := range map[string]string{
		"allowed": "script_failure 42", "flaky": "script_failure 7", "slow": "job_execution_timeout <nil>", "reports": "script_failure 3",
	} {
		talk := p.w.wire.ofJob(p.job(pipeline, name).ID)
		last := talk[len(talk)-1]
		if got := fmt.Sprint(last.Body["failure_reason"], " ", last.Body["exit_code"]); got != want {
			t.Errorf("the runner ended %s with %s, want %s", name, got, want)
		}
	}
	if slow := p.job(pipeline, "slow"); slow.Duration < 4 || slow.Duration > 15 {
		t.Errorf("slow took %v s, it has 4", slow.Duration)
	}
}

// checkReports holds what a job left behind.
func checkReports(t *testing.T, p project, j job) {
	t.Helper()
	var kinds []string
	for _, artifact := range j.Artifacts {
		kinds = append(kinds, artifact.Type)
	}
	slices.Sort(kinds)
	if want := []string{"archive", "dotenv", "junit", "trace"}; !slices.Equal(kinds, want) {
		t.Errorf("artifacts of reports: %v, want %v", kinds, want)
	}
	data := p.raw("/jobs/%d/artifacts", j.ID)
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	slices.Sort(names)
	if want := []string{"out/", "out/build.env", "out/junit.xml", "out/kept.txt"}; !slices.Equal(names, want) {
		t.Errorf("archive holds %v, want %v", names, want)
	}
	uploads := p.w.wire.where(func(x exchange) bool {
		return x.Path == fmt.Sprintf("/jobs/%d/artifacts", j.ID) && x.Query.Get("artifact_type") == "archive"
	})
	if len(uploads) != 1 || uploads[0].Query.Get("expire_in") != "2 days" {
		t.Errorf("the archive was sent by\n%s", transcript(uploads))
	}
}

// TestFileVariable runs a job with a variable that comes as a file.
func TestFileVariable(t *testing.T) {
	w := newWorld(t)
	w.register(1, nil).start()
	p := w.project("letters", `read: {script: ['echo "$CI_PIPELINE_SOURCE" "$LETTER"', 'cat "$LETTER"']}`)
	var pipeline struct{ ID int64 }
	w.server.Must("POST", p.path("/pipeline"), map[string]any{"ref": "main", "variables": []map[string]string{
		{"key": "LETTER", "value": "Dear $CI_JOB_NAME,\nhello\n", "variable_type": "file"},
	}}, &pipeline)
	p.finish(pipeline.ID, "success")
	log := p.log(p.job(pipeline.ID, "read").ID)
	for _, text := range []string{"\napi /", ".tmp/LETTER\n", "\nDear read,\nhello\n"} {
		if !strings.Contains(log, text) {
			t.Errorf("no %q in the log:\n%s", text, log)
		}
	}
}

// TestBigLog runs a job that prints some megabytes: they come in pieces of a
// megabyte and less, all of them.
func TestBigLog(t *testing.T) {
	w := newWorld(t)
	s := w.register(1, nil)
	s.start()
	p := w.project("big", `print: {script: ["seq 1 750000"]}`)
	pipeline := p.start(nil)
	j := p.finish(pipeline, "success")[0]
	log := p.log(j.ID)
	if len(log) < 5_000_000 {
		t.Errorf("the log has %d bytes, want 5 MB", len(log))
	}
	at, next := strings.Index(log, "\n1\n"), 1
	for line := range strings.Lines(log[at+1:]) {
		if line != fmt.Sprintf("%d\n", next) {
			break
		}
		next++
	}
	if next != 750_001 {
		t.Errorf("the log shows 1 to %d in order, want 750000", next-1)
	}
	patches := w.wire.where(func(x exchange) bool { return x.Method == "PATCH" })
	t.Logf("%d bytes in %d pieces, job took %.1f s", len(log), len(patches), j.Duration)
}
