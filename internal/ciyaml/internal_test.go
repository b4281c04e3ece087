package ciyaml

import (
	"context"
	"testing"
)

func TestNearest(t *testing.T) {
	tests := []struct {
		word string
		want string
	}{
		{"scirpt", "script"}, {"Script", "script"}, {"scripts", "script"}, {"afterscript", "after_script"},
		{"imgae", "image"}, {"foo", ""}, {"x", ""}, {"stage", "stage"}, {"releases", "release"}, {"relic", ""},
	}
	for _, tt := range tests {
		if got := nearest(tt.word, jobKeys.known); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestMatchInclude(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"ci/*.yml", "ci/a.yml", true},
		{"ci/*.yml", "ci/.yml", true},
		{"ci/*.yml", "ci/a/b.yml", false},
		{"ci/*.yml", "xci/a.yml", false},
		{"ci/*.yml", "ci/a.ymlx", false},
		{"ci/**.yml", "ci/a.yml", true},
		{"ci/**.yml", "ci/a/b.yml", true},
		{"ci/**/*.yml", "ci/a.yml", false},
		{"ci/**/*.yml", "ci/a/b/c.yml", true},
		{"*", "a", true},
		{"*", "a/b", false},
		{"**", "a/b", true},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "a1c", false},
		{"[a]*", "a", false},
		{"*/*", "a/b", true},
	}
	for _, tt := range tests {
		if got := matchInclude(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%s on %s: got %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

func TestGroupName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"build", "build"}, {"build 1/3", "build"}, {"build: [a, b]", "build"}, {"build 1/3 2/3", "build"},
		{"1/3", "1/3"}, {"build: a", "build: a"}, {"build 1/x", "build 1/x"}, {"a: [b] c", "a: [b] c"}, {" 1/2", " 1/2"},
	}
	for _, tt := range tests {
		if got := groupName(tt.name); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSlug(t *testing.T) {
	long := "a123456789b123456789c123456789d123456789e123456789f123456789ghijk"
	tests := []struct{ name, want string }{
		{"build", "build"}, {"Build 1/3", "build-1-3"}, {"--x--", "x"}, {long, long[:63]}, {"é", ""},
	}
	for _, tt := range tests {
		if got := slug(tt.name); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPlural(t *testing.T) {
	tests := []struct{ source, want string }{
		{"push", "pushes"}, {"web", "webs"}, {"schedule", "schedules"}, {"merge_request", "merge_requests"},
		{"security_orchestration_policy", "security_orchestration_policies"},
	}
	for _, tt := range tests {
		if got := plural(tt.source); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.source, got, tt.want)
		}
	}
}

// files is a Source of one commit.
type files map[string]string

func (f files) ReadFile(_ context.Context, _, _, path string) ([]byte, error) {
	if content, ok := f[path]; ok {
		return []byte(content), nil
	}
	return nil, ErrNotExist
}

func (f files) Paths(context.Context, string, string) ([]string, error) { return nil, nil }

func (f files) Resolve(context.Context, Reference) (Commit, error) { return Commit{}, ErrNoProject }

func (f files) Fetch(context.Context, string) ([]byte, error) {
	return nil, &RemoteError{Problem: RemoteSocket}
}

// The bytes of all files count together, repeated ones again.
func TestTotalSize(t *testing.T) {
	source := files{"ci.yml": "include: [a.yml, a.yml]\n", "a.yml": "a: {script: x}\n"}
	size := len(source["ci.yml"]) + 2*len(source["a.yml"])
	for limit, want := range map[int]string{size: "", size - 1: "a.yml:1:1: " + errTotalSize} {
		l := newLoader(t.Context(), source, LoadInput{Project: "g/p", Path: "ci.yml"})
		l.maxBytes = limit
		_, diags := l.load()
		got := ""
		if diags != nil {
			got = diags.First().String()
		}
		if got != want {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
}

func TestOverlay(t *testing.T) {
	base := []Variable{{Key: "A", Value: "1"}, {Key: "B", Value: "1"}}
	over := newVarSet(0, []Variable{{Key: "C", Value: "2"}, {Key: "A", Value: "2"}, {Key: "C", Value: "3"}})
	got := overlay(base, &over)
	want := []Variable{{Key: "A", Value: "2"}, {Key: "B", Value: "1"}, {Key: "C", Value: "3"}}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
	if base[0].Value != "1" {
		t.Error("the base was changed")
	}
}
