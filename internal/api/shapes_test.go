package api

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestTableIsWhole(t *testing.T) {
	a := &API{}
	seen := map[string]bool{}
	for _, r := range a.table() {
		if err := r.check(); err != nil {
			t.Errorf("%s: %v", r.pattern, err)
		}
		if seen[r.pattern] {
			t.Errorf("%s is there twice", r.pattern)
		}
		seen[r.pattern] = true
		if r.who&jobs != 0 && r.who&byToken != 0 {
			t.Errorf("%s looks at two kinds of tokens", r.pattern)
		}
	}
	a.routes = a.table()
	a.Routes(http.NewServeMux()) // panics when two patterns are in each other's way
}

func TestRouteCheck(t *testing.T) {
	serve := func(*call) error { return nil }
	for _, r := range []route{
		{"GET", anyone, 0, serve, 0},
		{"GET projects", anyone, 0, serve, 0},
		{"GET /projects", 0, 0, serve, 0},
		{"GET /projects", jobs, 0, serve, 0},
		{"GET /projects", anyone, 0, nil, 0},
	} {
		if r.check() == nil {
			t.Errorf("%v is taken for a route", r.pattern)
		}
	}
}

func TestWildcards(t *testing.T) {
	got := wildcards("GET /projects/{id}/jobs/{job_id}/{part}/{artifact_path...}")
	if want := []string{"id", "job_id", "part", "artifact_path"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(2016, 1, 7, 9, 53, 58, 235_999_000, time.FixedZone("", 3600))
	for _, tt := range []struct {
		value any
		want  string
	}{
		{stamp(at), `"2016-01-07T08:53:58.235Z"`},
		{stamp{}, `null`},
		{ownStamp(at), `"2016-01-07T09:53:58.235+01:00"`},
		{ownStamp(at.UTC()), `"2016-01-07T08:53:58.235+00:00"`},
		{ownStamp{}, `null`},
		{seconds(at, at.Add(1500*time.Millisecond), at), `1.5`},
		{seconds(at, time.Time{}, at.Add(time.Second)), `1`},
		{seconds(time.Time{}, at, at), `null`},
	} {
		got, err := json.Marshal(tt.value)
		if err != nil || string(got) != tt.want {
			t.Errorf("got %s (%v), want %s", got, err, tt.want)
		}
	}
}

func TestQueuedDuration(t *testing.T) {
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		started time.Time
		want    string
	}{
		{time.Time{}, "null"}, {created.Add(999 * time.Millisecond), "null"}, {created.Add(2500 * time.Millisecond), "2"},
	} {
		got, err := json.Marshal(queuedDuration(ci.Pipeline{CreatedAt: created, StartedAt: tt.started}))
		if err != nil || string(got) != tt.want {
			t.Errorf("started at %v: got %s, want %s", tt.started, got, tt.want)
		}
	}
}

func TestEveryStatusIsDescribed(t *testing.T) {
	for _, status := range ci.Statuses {
		w, ok := statusWords[status]
		if !ok || w.icon == "" || w.text == "" || w.label == "" || w.group == "" || w.favicon == "" {
			t.Errorf("%s has no words: %+v", status, w)
		}
	}
}

func TestShortTitle(t *testing.T) {
	words := strings.TrimSpace(strings.Repeat("word ", 30))
	for _, tt := range []struct{ title, want string }{
		{"short", "short"},
		{strings.Repeat("x", 99), strings.Repeat("x", 99)},
		{strings.Repeat("x", 100), strings.Repeat("x", 78) + "..."},
		{strings.Repeat("\u00e4", 120), strings.Repeat("\u00e4", 78) + "..."},
		{words, words[:74] + "..."},
	} {
		if got := shortTitle(tt.title); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestTrailers(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    [][2]string
	}{
		{"Title", nil},
		{"Title: not one", nil},
		{"Title\n\nText.", nil},
		{"Title\n\nText.\n\nSigned-off-by: A <a@b>\nRefs: 1\n", [][2]string{{"Signed-off-by", "A <a@b>"}, {"Refs", "1"}}},
		{"Title\n\nRefs: 1\nand more", nil},
	} {
		if got := trailers(tt.message); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.message, got, tt.want)
		}
	}
}

func TestByteRange(t *testing.T) {
	for _, tt := range []struct {
		header        string
		offset, limit int64
		ok            bool
	}{
		{"bytes=0-0", 0, 1, true}, {"bytes=5-9", 5, 5, true}, {"bytes=5-", 5, -1, true}, {"bytes=-5", -5, -1, true},
		{"", 0, 0, false}, {"bytes=", 0, 0, false}, {"bytes=-", 0, 0, false}, {"bytes=9-5", 0, 0, false}, {"bytes=-0", 0, 0, false},
		{"bytes=a-b", 0, 0, false}, {"bytes=0-1,5-6", 0, 0, false}, {"lines=1-2", 0, 0, false}, {"bytes=--5", 0, 0, false},
	} {
		offset, limit, ok := byteRange(tt.header)
		if ok != tt.ok || ok && (offset != tt.offset || limit != tt.limit) {
			t.Errorf("%q: got %d, %d, %v; want %d, %d, %v", tt.header, offset, limit, ok, tt.offset, tt.limit, tt.ok)
		}
	}
}

func TestInsideArchive(t *testing.T) {
	for _, name := range []string{"a", "a/b.txt", "..a", ".hidden"} {
		if !insideArchive(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"", ".", "..", "../a", "a/../../b", "/a", "a//b", "a/", "./a"} {
		if insideArchive(name) {
			t.Errorf("%q is taken", name)
		}
	}
}

func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestArchiveTree(t *testing.T) {
	data := zipOf(t, "index.html", "css/site.css", "css/more/deep.css", "empty/")
	files, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		folder    string
		recursive bool
		want      string
	}{
		{"", false, "css/ empty/ index.html"},
		{"", true, "css/ css/more/ css/more/deep.css css/site.css empty/ index.html"},
		{"css", false, "css/more/ css/site.css"},
		{"css/more", true, "css/more/deep.css"},
		{"cs", true, ""},
	} {
		var paths []string
		for _, e := range archiveTree(files.File, tt.folder, tt.recursive) {
			paths = append(paths, e.Path)
		}
		if got := strings.Join(paths, " "); got != tt.want {
			t.Errorf("%q, recursive %v: got %s, want %s", tt.folder, tt.recursive, got, tt.want)
		}
	}
}

func TestCheckDirectory(t *testing.T) {
	good := zipOf(t, "a", "b")
	huge := bytes.Clone(good)
	copy(huge[len(huge)-22+12:], []byte{0xff, 0xff, 0xff, 0x7f})
	for name, tt := range map[string]struct {
		data []byte
		want ci.Kind
	}{
		"good": {good, ""}, "huge": {huge, ci.KindInvalid}, "no zip": {[]byte("plain text"), ci.KindNotFound}, "empty": {nil, ci.KindNotFound},
	} {
		if got := ci.KindOf(checkDirectory(bytes.NewReader(tt.data), int64(len(tt.data)))); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestCanonicalDigest(t *testing.T) {
	digest := func(payload string) string {
		sum, err := canonicalDigest([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return string(sum)
	}
	if digest(`{"ref":"main","variables":{"A":"1","B":"2"}}`) != digest(`{"variables":{"B":"2","A":"1"},"ref":"main"}`) {
		t.Error("the order of parameters counts")
	}
	if digest(`{"n":10000000000000000000001}`) == digest(`{"n":10000000000000000000002}`) {
		t.Error("large numbers are rounded")
	}
}
