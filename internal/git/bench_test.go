package git_test

import (
	"fmt"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

// benchRepository has 1 000 files in 50 folders, two commits and 100 branches.
func benchRepository(b *testing.B) (*git.Server, string) {
	s := gittest.Open(b)
	files := map[string]string{".gitlab-ci.yml": "build:\n  script: make\n"}
	for i := range 1000 {
		files[fmt.Sprintf("dir%d/file%d", i%50, i)] = fmt.Sprint(i)
	}
	r := gittest.New(b, s, 7, files)
	sha := r.Commit("main", "second", map[string]string{"dir1/file1": "new"})
	for i := range 100 {
		r.Branch(fmt.Sprintf("branch-%d", i), sha)
	}
	b.ResetTimer()
	return s, sha
}

func BenchmarkResolve(b *testing.B) {
	s, _ := benchRepository(b)
	for b.Loop() {
		if _, err := s.Resolve(b.Context(), 7, "branch-50"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolveParallel(b *testing.B) {
	s, _ := benchRepository(b)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Resolve(b.Context(), 7, "branch-50"); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkReadFile(b *testing.B) {
	s, sha := benchRepository(b)
	for b.Loop() {
		if _, err := s.ReadFile(b.Context(), 7, sha, ".gitlab-ci.yml"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s, sha := benchRepository(b)
	for b.Loop() {
		if _, err := s.Commit(b.Context(), 7, sha); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPaths(b *testing.B) {
	s, sha := benchRepository(b)
	for b.Loop() {
		if _, err := s.Paths(b.Context(), 7, sha); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefs(b *testing.B) {
	s, _ := benchRepository(b)
	for b.Loop() {
		if _, err := s.Refs(b.Context(), 7); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommitFiles(b *testing.B) {
	s, _ := benchRepository(b)
	n := 0
	for b.Loop() {
		n++
		_, err := s.CommitFiles(b.Context(), 7, git.CommitRequest{Branch: "main", Message: "m", Now: gittest.Start,
			Actions: []git.Action{{Kind: git.ActionUpdate, Path: "dir1/file1", Content: fmt.Append(nil, n)}}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
