package git_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

func TestLineStats(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"a": "1\n2\n3\n", "b\t\"ä": "x\n"})
	first := r.SHA("main")
	second := r.Commit("main", "second", map[string]string{"a": "1\n2\n4\n5\n", "binary": "\x00\x01", "c": "1\n"})
	for _, c := range []struct {
		from, to       string
		added, removed int
	}{
		{first, second, 3, 1}, {second, first, 1, 3}, {first, first, 0, 0}, {"", first, 4, 0}, {git.ZeroSHA, second, 6, 0},
	} {
		added, removed, err := s.LineStats(t.Context(), 7, c.from, c.to)
		if err != nil || added != c.added || removed != c.removed {
			t.Errorf("%+v: got %d, %d, %v", c, added, removed, err)
		}
	}
	if _, _, err := s.LineStats(t.Context(), 7, "--output=x", first); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("option instead of a commit: got %v, want ErrNotExist", err)
	}
}

func TestMerged(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"a": "1"})
	r.Branch("old/one", r.SHA("main"))
	r.Branch("ahead", r.SHA("main"))
	r.Commit("ahead", "ahead", map[string]string{"a": "2"})
	got, err := s.Merged(t.Context(), 7, r.SHA("main"))
	want := map[string]bool{"refs/heads/main": true, "refs/heads/old/one": true}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("merged (-want +got): %v\n%s", err, diff)
	}
	if _, err := s.Merged(t.Context(), 7, "main"); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("branch instead of a commit: got %v, want ErrNotExist", err)
	}
}

func TestLogNarrowed(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"a": "1"})
	commit := func(branch, author string, year int) string {
		t.Helper()
		sha, err := s.CommitFiles(t.Context(), 7, git.CommitRequest{
			Branch: branch, StartBranch: "main", Force: true, Message: "m", AuthorName: author, AuthorEmail: author + "@example.com",
			Now: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), Actions: []git.Action{{Kind: git.ActionUpdate, Path: "a", Content: []byte{byte(year)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return sha
	}
	r.Branch("side", r.SHA("main"))
	maya, owen := commit("main", "maya", 2031), commit("side", "owen", 2032)
	for _, c := range []struct {
		name string
		q    git.LogQuery
		want []string
	}{
		{"author", git.LogQuery{Rev: "main", Author: "MAYA"}, nil},
		{"author", git.LogQuery{Rev: "main", Author: "^maya <"}, []string{maya}},
		{"since", git.LogQuery{Rev: "side", Since: time.Date(2031, 6, 1, 0, 0, 0, 0, time.UTC)}, []string{owen}},
		{"until", git.LogQuery{Rev: "side", Until: time.Date(2031, 6, 1, 0, 0, 0, 0, time.UTC), Since: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}, []string{maya}},
		{"all", git.LogQuery{Rev: "main", All: true, Since: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}, []string{owen, maya}},
		{"since the end of time", git.LogQuery{Rev: "side", Since: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, nil},
		{"until the first day", git.LogQuery{Rev: "side", Until: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)}, nil},
		{"an author that looks like an option", git.LogQuery{Rev: "main", Author: "--all"}, nil},
	} {
		c.q.Limit = 10
		log, err := s.Log(t.Context(), 7, c.q)
		var got []string
		for _, commit := range log {
			got = append(got, commit.SHA)
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s (-want +got): %v\n%s", c.name, err, diff)
		}
	}
}
