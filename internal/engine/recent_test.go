package engine

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestRecentKeepsWhatIsUsed(t *testing.T) {
	r := newRecent[int, string](3, nil)
	for i := range 3 {
		r.put(i, fmt.Sprint(i))
	}
	for i := 3; i < 9; i++ {
		if _, ok := r.get(0); !ok {
			t.Fatalf("the entry in use is gone after %d others", i)
		}
		r.put(i, fmt.Sprint(i))
	}
	if _, ok := r.get(1); ok {
		t.Error("an entry that nobody asked for is still there")
	}
	for range 10 {
		r.put(8, "again")
	}
	if _, ok := r.get(0); !ok {
		t.Error("putting the same key again has pushed another one out")
	}
}

// Against a plain map: what is found is what was put last, at most twice size is
// kept, and the newest entry is there unless it is too heavy.
func TestRecentAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 10).Draw(t, "size")
		r := newRecent[int](size, func(v int) int { return v % 5 })
		model := map[int]int{}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			key := rapid.IntRange(0, 12).Draw(t, "key")
			if rapid.Bool().Draw(t, "read") {
				if v, ok := r.get(key); ok && v != model[key] {
					t.Fatalf("key %d: got %d, want %d", key, v, model[key])
				}
			} else {
				v := rapid.IntRange(1, 1000).Draw(t, "value")
				r.put(key, v)
				model[key] = v
				if got, ok := r.get(key); ok != (v%5 <= size) || ok && got != v {
					t.Fatalf("right after it was put: got %d, %v, want %d", got, ok, v)
				}
			}
			for _, generation := range []map[int]int{r.young, r.old} {
				weight := 0
				for _, v := range generation {
					weight += v % 5
				}
				if weight > size {
					t.Fatalf("a generation weighs %d, want at most %d", weight, size)
				}
			}
		}
	})
}

func TestRecentFromManyGoroutines(t *testing.T) {
	r := newRecent[int, int](8, nil)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 1000 {
				r.put((i+j)%20, (i+j)%20)
				if v, ok := r.get(j % 20); ok && v != j%20 {
					t.Errorf("key %d: got %d", j%20, v)
				}
			}
		})
	}
	group.Wait()
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"main": "main", "Feature/Login_2": "feature-login-2", "-x-": "x", "größe": "gr--e", "日本": "", "": "",
		"a234567890123456789012345678901234567890123456789012345678901234": "a23456789012345678901234567890123456789012345678901234567890123",
		"a23456789012345678901234567890123456789012345678901234567890-1-x": "a23456789012345678901234567890123456789012345678901234567890-1",
	} {
		if got := slug(name); got != want {
			t.Errorf("slug of %q: got %q, want %q", name, got, want)
		}
	}
}
