package ciyaml

import (
	"fmt"
	"strings"
	"testing"
)

// Loading with a cache gives what loading without one gives, also when files have
// the same content and other names, and when there is an error.
func TestFileCache(t *testing.T) {
	cache := &FileCache{MaxBytes: 1 << 20}
	same := "spec: {inputs: {n: {}}}\n---\n$[[ inputs.n ]]: {script: x, stage: nope}\n"
	for range 2 {
		for _, source := range []files{
			{"ci.yml": "include: [{local: a.yml, inputs: {n: a}}]\n", "a.yml": same},
			{"ci.yml": "include: [{local: b.yml, inputs: {n: b}}]\n", "b.yml": same},
			{"ci.yml": "include: [{local: b.yml, inputs: {n: [b]}}]\n", "b.yml": same},
			{"ci.yml": "a: [\n"},
		} {
			in := LoadInput{Project: "g/p", Path: "ci.yml"}
			_, _, want := Load(t.Context(), source, in)
			in.Parsed = cache
			_, _, got := Load(t.Context(), source, in)
			if fmt.Sprint(got) != fmt.Sprint(want) || len(want) == 0 {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
	if len(cache.files) != 5 {
		t.Errorf("%d files are kept, want 5", len(cache.files))
	}
}

func TestFileCacheIsBounded(t *testing.T) {
	cache := &FileCache{MaxBytes: 10_000}
	for i := range 100 {
		key := keyOf(fmt.Sprint(i), "", nil)
		cache.put(key, &file{}, 1000)
		cache.get(keyOf("0", "", nil)) // in use
		if cache.bytes > cache.MaxBytes {
			t.Fatalf("%d bytes are kept", cache.bytes)
		}
		if cache.get(key) == nil {
			t.Fatal("the newest is not kept")
		}
	}
	if cache.get(keyOf("0", "", nil)) == nil {
		t.Error("one that was in use is gone")
	}
	if cache.get(keyOf("50", "", nil)) != nil {
		t.Error("one that nobody used is kept")
	}
	large := keyOf("large", "", nil)
	if cache.put(large, &file{}, 9000); cache.get(large) != nil {
		t.Error("one that leaves no room for others is kept")
	}
	if keyOf("a", "b", []byte("c")) == keyOf("a", "bc", nil) || keyOf("ab", "", nil) == keyOf("a", "b", nil) {
		t.Error("names and contents run together")
	}
	if none := (&FileCache{}); none.get(large) != nil || strings.Contains(fmt.Sprint(none.files), "file") {
		t.Error("the zero value keeps something")
	}
}
