package runnerapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

const everything = `
stages: [prepare, build]
variables: {TOP: "top", NESTED: "$TOP/$CI_COMMIT_REF_NAME/$CI_JOB_NAME", UNKNOWN: "$NOBODY", WORD: {value: "$TOP", expand: false}}
prepare:
  stage: prepare
  script: [x]
  artifacts: {paths: [out/], reports: {dotenv: build.env}}
build:
  stage: build
  image: {name: "alpine:3.20", entrypoint: ["/bin/sh"], pull_policy: always}
  services:
    - {name: "postgres:16", alias: db, command: ["postgres"], variables: {POSTGRES_PASSWORD: x}}
  variables: {OWN: "own", GIT_DEPTH: "7"}
  before_script: [echo before]
  script: [make]
  after_script: [echo $CI_JOB_STATUS]
  timeout: 30 minutes
  artifacts:
    name: out-$CI_JOB_NAME
    paths: [out/]
    exclude: [out/*.tmp]
    expire_in: 1 week
    reports: {junit: report.xml}
  cache: {key: deps, paths: [vendor/], fallback_keys: [deps-main]}
`

// document takes the second job of everything and gives its payload as JSON.
func document(t *testing.T) (w *world, pipeline ci.Pipeline, doc map[string]any) {
	t.Helper()
	w = newWorld(t, everything, options{})
	_, token := w.runner(engine.RunnerSettings{Tags: &[]string{"x64", "linux"}})
	pipeline, _ = w.start(ci.Variable{Key: "GIVEN", Value: "given"}, ci.Variable{Key: "TRIGGER_PAYLOAD", Value: `{"a":1}`, File: true})
	prepare := w.take(token)
	expect(t, "archive", w.upload(prepare, "archive", "zip", "artifacts.zip", make([]byte, 2048)), 201, "")
	expect(t, "dotenv", w.upload(prepare, "dotenv", "gzip", ".env.gz", gzipped("REPORTED=yes\n")), 201, "")
	w.finish(prepare, "success")
	if err := json.Unmarshal(w.take(token).body, &doc); err != nil {
		t.Fatal(err)
	}
	return w, pipeline, doc
}

// gzipped packs files one after the other, as runners do.
func gzipped(files ...string) []byte {
	var packed bytes.Buffer
	for _, file := range files {
		z := gzip.NewWriter(&packed)
		_, _ = z.Write([]byte(file)) // a buffer does not fail
		_ = z.Close()
	}
	return packed.Bytes()
}

// TestPayloadHasTheShapeOfTheContract compares keys and types with the full example
// of the contract.
func TestPayloadHasTheShapeOfTheContract(t *testing.T) {
	data, err := os.ReadFile("testdata/payload.json")
	if err != nil {
		t.Fatal(err)
	}
	var example any
	if err := json.Unmarshal(data, &example); err != nil {
		t.Fatal(err)
	}
	_, _, doc := document(t)
	got, want := shape{}, shape{}
	got.add("", doc)
	want.add("", example)
	// What nothing here can produce: lists that are always empty.
	for _, path := range []string{".hooks[]", ".hooks[].name", ".hooks[].script", ".hooks[].script[]",
		".credentials[]", ".credentials[].type", ".credentials[].url", ".credentials[].username", ".credentials[].password"} {
		if want[path] == nil {
			t.Errorf("the example has no %s", path)
		}
		delete(want, path)
	}
	for path, types := range want {
		switch have := got[path]; {
		case have == nil:
			t.Errorf("%s is missing, want %v", path, types)
		case !agree(have, types):
			t.Errorf("%s is %v, want %v", path, have, types)
		}
	}
	for path, types := range got {
		// Where the example has null or an empty list, ours may have something.
		parent := path[:max(0, strings.LastIndex(path, "[]"))]
		if want[path] == nil && !slices.Contains(want[parent], "null") && !strings.HasSuffix(path, "[].untracked") {
			t.Errorf("%s (%v) is not in the example", path, types)
		}
	}
}

// A shape lists the types that values of a JSON document have at each path.
type shape map[string][]string

func (s shape) add(path string, v any) {
	kind := "null"
	switch v := v.(type) {
	case map[string]any:
		kind = "object"
		for key, value := range v {
			s.add(path+"."+key, value)
		}
	case []any:
		kind = "list"
		for _, value := range v {
			s.add(path+"[]", value)
		}
	case nil:
	default:
		kind = reflect.TypeOf(v).String()
	}
	if !slices.Contains(s[path], kind) {
		s[path] = append(s[path], kind)
	}
}

// agree reports whether two lists have a type in common; null agrees with all.
func agree(a, b []string) bool {
	return slices.Contains(a, "null") || slices.Contains(b, "null") || slices.ContainsFunc(a, func(t string) bool { return slices.Contains(b, t) })
}

func TestPayload(t *testing.T) {
	w, pipeline, doc := document(t)
	job := w.jobs(pipeline.ID)["build"]
	token, _ := doc["token"].(string)
	for _, c := range []struct {
		path string
		want string
	}{
		{"id", fmt.Sprint(job.ID)},
		{"allow_git_fetch", "true"},
		{"job_info.name", `"build"`},
		{"job_info.stage", `"build"`},
		{"job_info.pipeline_id", fmt.Sprint(pipeline.ID)},
		{"job_info.project_name", `"demo"`},
		{"job_info.project_full_path", `"root/demo"`},
		{"job_info.project_jobs_running_on_instance_runners_count", `"0"`},
		{"job_info.scoped_user_id", "null"},
		{"git_info.repo_url", fmt.Sprintf(`"http://gitlab-ci-token:%s@%s/root/demo.git"`, token, strings.TrimPrefix(w.server.URL, "http://"))},
		{"git_info.ref", `"main"`},
		{"git_info.sha", fmt.Sprintf("%q", pipeline.SHA)},
		{"git_info.before_sha", `"0000000000000000000000000000000000000000"`},
		{"git_info.ref_type", `"branch"`},
		{"git_info.refspecs", fmt.Sprintf(`["+%s:refs/pipelines/%d","+refs/heads/main:refs/remotes/origin/main"]`, pipeline.SHA, pipeline.ID)},
		{"git_info.depth", "7"},
		{"git_info.protected", "false"},
		{"runner_info", `{"runner_session_url":null,"timeout":1800}`},
		{"inputs", "[]"},
		{"hooks", "[]"},
		{"credentials", "[]"},
		{"steps", `[{"allow_failure":false,"name":"script","script":["echo before","make"],"timeout":1800,"when":"on_success"},` +
			`{"allow_failure":true,"name":"after_script","script":["echo $CI_JOB_STATUS"],"timeout":1800,"when":"always"}]`},
		{"image", `{"entrypoint":["/bin/sh"],"executor_opts":{},"name":"alpine:3.20","ports":[],"pull_policy":["always"]}`},
		{"services", `[{"alias":"db","command":["postgres"],"entrypoint":null,"executor_opts":{},"name":"postgres:16","ports":[],` +
			`"pull_policy":null,"variables":[{"key":"POSTGRES_PASSWORD","value":"x"}]}]`},
		{"artifacts", `[{"artifact_format":"zip","artifact_type":"archive","exclude":["out/*.tmp"],"expire_in":"1 week","name":"out-$CI_JOB_NAME",` +
			`"paths":["out/"],"untracked":false,"when":"on_success"},{"artifact_format":"gzip","artifact_type":"junit","expire_in":"1 week",` +
			`"name":"junit.xml","paths":["report.xml"],"untracked":false,"when":"always"}]`},
		{"cache", `[{"fallback_keys":["deps-main-non_protected"],"key":"deps-non_protected","paths":["vendor/"],"policy":"pull-push",` +
			`"untracked":false,"when":"on_success"}]`},
		{"dependencies", fmt.Sprintf(`[{"artifacts_file":{"filename":"artifacts.zip","size":2048},"id":%d,"name":"prepare","token":%q}]`,
			w.jobs(pipeline.ID)["prepare"].ID, token)},
		{"features.trace_sections", "true"},
	} {
		var v any = doc
		for key := range strings.SplitSeq(c.path, ".") {
			m, _ := v.(map[string]any)
			v = m[key]
		}
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s: got %s, want %s", c.path, got, c.want)
		}
	}
}

func TestPayloadVariables(t *testing.T) {
	w, pipeline, doc := document(t)
	token, _ := doc["token"].(string)
	list, _ := doc["variables"].([]any)
	got := map[string]map[string]any{}
	for _, v := range list {
		m, _ := v.(map[string]any)
		key, _ := m["key"].(string)
		if got[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		delete(m, "key")
		got[key] = m
	}
	plain := func(value string) map[string]any {
		return map[string]any{"value": value, "public": true, "masked": false}
	}
	secret := map[string]any{"value": token, "public": false, "masked": true, "raw": true}
	for key, want := range map[string]map[string]any{
		"CI":                plain("true"),
		"CI_JOB_NAME":       {"value": "build", "public": true, "masked": false, "raw": true},
		"CI_JOB_TOKEN":      secret,
		"CI_PIPELINE_ID":    plain(fmt.Sprint(pipeline.ID)),
		"CI_COMMIT_SHA":     plain(pipeline.SHA),
		"CI_JOB_TIMEOUT":    plain("1800"),
		"CI_JOB_IMAGE":      plain("alpine:3.20"),
		"CI_API_V4_URL":     plain(w.server.URL + "/api/v4"),
		"CI_RUNNER_TAGS":    {"value": `["linux", "x64"]`, "public": true, "masked": false, "raw": true},
		"GITLAB_USER_LOGIN": plain("root"),
		"TOP":               plain("top"),
		"NESTED":            plain("top/main/$CI_JOB_NAME"),
		"UNKNOWN":           plain("$NOBODY"), // the runner may know it
		"WORD":              {"value": "$TOP", "public": true, "masked": false, "raw": true},
		"OWN":               plain("own"),
		"GIVEN":             {"value": "given", "public": false, "masked": false},
		"REPORTED":          {"value": "yes", "public": false, "masked": false},
		"TRIGGER_PAYLOAD":   {"value": `{"a":1}`, "public": false, "masked": false, "file": true, "raw": true},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if url := got["CI_REPOSITORY_URL"]; url["public"] != false || !strings.Contains(fmt.Sprint(url["value"]), token) {
		t.Errorf("CI_REPOSITORY_URL: got %v", url)
	}
}

func TestPayloadOfTagsAndHistory(t *testing.T) {
	w := newWorld(t, "build: {script: [x], variables: {GIT_DEPTH: $DEPTH}}\n", options{})
	_, token := w.runner(engine.RunnerSettings{})
	ctx := t.Context()
	pipeline, _ := w.start(ci.Variable{Key: "DEPTH", Value: "0"})
	specs := func(j taken) string {
		t.Helper()
		var doc struct {
			GitInfo gitInfo `json:"git_info"`
		}
		if err := json.Unmarshal(j.body, &doc); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s %d %s", doc.GitInfo.RefType, doc.GitInfo.Depth, strings.Join(doc.GitInfo.Refspecs, " "))
	}
	first := fmt.Sprintf("+%s:refs/pipelines/", pipeline.SHA)
	want := fmt.Sprintf("branch 0 %s%d +refs/heads/*:refs/remotes/origin/* +refs/tags/*:refs/tags/*", first, pipeline.ID)
	if got := specs(w.take(token)); got != want {
		t.Errorf("whole history: got %s, want %s", got, want)
	}

	// A branch that is gone when the job starts: the commit is enough.
	if err := w.db.SetRefs(ctx, w.project.ID, []ci.Ref{{ProjectID: w.project.ID, Name: "refs/tags/v1", SHA: pipeline.SHA}}, nil); err != nil {
		t.Fatal(err)
	}
	gone, _ := w.start()
	if err := w.db.SetRefs(ctx, w.project.ID, nil, []string{"refs/heads/main"}); err != nil {
		t.Fatal(err)
	}
	if got, want := specs(w.take(token)), fmt.Sprintf("branch 20 %s%d", first, gone.ID); got != want {
		t.Errorf("branch that is gone: got %s, want %s", got, want)
	}
	actor, err := w.engine.Actor(ctx, w.root, w.project)
	if err != nil {
		t.Fatal(err)
	}
	tagged, err := w.engine.CreatePipeline(ctx, engine.PipelineRequest{Project: w.project, Actor: actor, Source: ci.SourceAPI, Ref: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := specs(w.take(token)), fmt.Sprintf("tag 20 %s%d +refs/tags/v1:refs/tags/v1", first, tagged.ID); got != want {
		t.Errorf("tag: got %s, want %s", got, want)
	}
	enginetest.Check(t, w.engine.CompareRefs(t.Context())) // the refs that the test made past the table
}

func TestDotenvReports(t *testing.T) {
	w := newWorld(t, everything, options{})
	_, token := w.runner(engine.RunnerSettings{})
	many := ""
	for i := range 21 {
		many += fmt.Sprintf("K%d=v\n", i)
	}
	for name, c := range map[string]struct {
		body   []byte
		status int
		text   string
	}{
		"good":            {gzipped("A=1\nB=x=y\n", "C= spaces \r\nA=2"), 201, ""},
		"empty":           {gzipped(""), 201, ""},
		"no gzip":         {[]byte("A=1\n"), 400, "Invalid Format"},
		"no line":         {gzipped("A=1\nB\n"), 400, "Invalid Format"},
		"empty line":      {gzipped("A=1\n\nB=2\n"), 400, "Invalid Format"},
		"bad key":         {gzipped("A-B=1\n"), 400, "Validation failed: Key can contain only letters, digits and '_'."},
		"not UTF-8":       {gzipped("A=\xff\n"), 400, "Invalid Format"},
		"too many":        {gzipped(many), 400, "Dotenv files cannot have more than 20 variables"},
		"too large":       {gzipped("A=" + strings.Repeat("x", 6000) + "\n"), 400, "Dotenv Artifact Too Big. Maximum Allowable Size: 5120"},
		"large and small": {gzipped(strings.Repeat("A=xxxx\n", 400), strings.Repeat("A=xxxx\n", 400)), 400, "Dotenv Artifact Too Big. Maximum Allowable Size: 5120"},
	} {
		pipeline, _ := w.start()
		job := w.take(token)
		a := w.upload(job, "dotenv", "gzip", ".env.gz", c.body)
		if message, _ := a.field("message").(string); a.status != c.status || !strings.HasSuffix(message, c.text) {
			t.Errorf("%s: got %d %s, want %d %s", name, a.status, a.body, c.status, c.text)
		}
		w.finish(job, "success")
		next := w.take(token)
		if name == "good" {
			for _, want := range []string{`{"key":"A","value":"2"`, `{"key":"B","value":"x=y"`, `{"key":"C","value":"spaces"`} {
				if !bytes.Contains(next.body, []byte(want)) {
					t.Errorf("%s: no %s in the next job", name, want)
				}
			}
		}
		w.finish(next, "success")
		if got := w.jobs(pipeline.ID)["build"].Status; got != ci.Success {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
