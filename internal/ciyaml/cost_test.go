package ciyaml_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// forty is a file of some 300 lines with 40 jobs.
func forty(tb testing.TB) []byte {
	tb.Helper()
	content, err := os.ReadFile("testdata/forty.yml")
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

// readAlone is what the YAML library itself needs to read a file.
func readAlone(tb testing.TB, content []byte) {
	var node yaml.Node
	if err := yaml.Unmarshal(content, &node); err != nil {
		tb.Fatal(err)
	}
}

// compileCold makes a plan of a file that nobody has read before.
func compileCold(tb testing.TB, source mapSource, in ciyaml.Input) *ciyaml.Config {
	config, _, diags := ciyaml.Load(tb.Context(), source, rootInput)
	if diags.Failed() {
		tb.Fatal(diags)
	}
	compileAgain(tb, config, in)
	return config
}

// compileAgain makes a plan of a configuration that is at hand.
func compileAgain(tb testing.TB, config *ciyaml.Config, in ciyaml.Input) {
	if plan, diags := config.Pipeline(in); diags.Failed() || len(plan.Jobs) != 40 {
		tb.Fatal(diags, names(plan))
	}
}

// What a file of 300 lines costs: read by the YAML library alone, compiled when
// it is new, and compiled again for other variables.
func BenchmarkForty(b *testing.B) {
	content, in := forty(b), serverInput()
	source := mapSource{".gitlab-ci.yml": string(content)}
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			readAlone(b, content)
		}
	})
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			compileCold(b, source, in)
		}
	})
	config := compileCold(b, source, in)
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			compileAgain(b, config, in)
		}
	})
}

// Compiling costs at most three times what the library needs to read the file,
// and at most a tenth of that again for other variables. The fastest of many
// rounds counts, so that other work on the machine does not.
func TestCosts(t *testing.T) {
	content, in := forty(t), serverInput()
	source := mapSource{".gitlab-ci.yml": string(content)}
	config := compileCold(t, source, in)
	var library, cold, again time.Duration
	for range 5 { // until it is quiet enough to see
		library = min(fastest(func() { readAlone(t, content) }), orLong(library))
		cold = min(fastest(func() { compileCold(t, source, in) }), orLong(cold))
		again = min(fastest(func() { compileAgain(t, config, in) }), orLong(again))
		if cold <= 3*library && again <= cold/10 {
			return
		}
	}
	t.Errorf("reading takes %v, compiling %v (want at most 3 times that), again %v (want at most a tenth)", library, cold, again)
}

func orLong(d time.Duration) time.Duration {
	if d == 0 {
		return time.Hour
	}
	return d
}

func fastest(work func()) time.Duration {
	best := time.Hour
	for range 50 {
		start := time.Now()
		work()
		best = min(best, time.Since(start))
	}
	return best
}

// A configuration of 3,000 jobs stays under 200 MiB, and twice as many jobs take
// twice the memory.
func TestMemory(t *testing.T) {
	used := func(jobs int) (total, kept uint64) {
		source := mapSource{".gitlab-ci.yml": firstJobs(jobs)}
		var before, after, live runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		config, _, diags := ciyaml.Load(t.Context(), source, rootInput)
		if diags.Failed() {
			t.Fatal(diags)
		}
		plan, diags := config.Pipeline(branch())
		runtime.ReadMemStats(&after)
		runtime.GC()
		runtime.ReadMemStats(&live)
		runtime.KeepAlive(config)
		if diags.Failed() || len(plan.Jobs) != jobs {
			t.Fatal(diags, len(plan.Jobs))
		}
		return after.TotalAlloc - before.TotalAlloc, live.HeapAlloc - min(before.HeapAlloc, live.HeapAlloc)
	}
	half, _ := used(1500)
	total, kept := used(3000)
	t.Logf("3000 jobs: %s allocated, %s kept", mib(total), mib(kept))
	if total > 200<<20 {
		t.Errorf("3000 jobs allocate %s, want at most 200 MiB", mib(total))
	}
	if total > half*5/2 {
		t.Errorf("1500 jobs allocate %s, 3000 jobs %s", mib(half), mib(total))
	}
}

func mib(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// Jobs that extend one with long lists, or with many instances, share what is
// read of it, and there is an end to what they may have together.
func TestManyJobsWithLongLists(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	matrix := "{matrix: [{A: [" + many(14, "%d, ") + "], B: [" + many(14, "%d, ") + "]}]}"
	rest := "\n" + many(2000, "job-%d: {extends: .b}\n")
	for name, base := range map[string]string{
		"needs":        "needs: [" + many(20_000, "{job: n%d, optional: true}, ") + "]",
		"matrix needs": "needs: [" + many(2000, "{job: n%d, optional: true, parallel: "+matrix+"}, ") + "]",
		"dependencies": "dependencies: [" + many(90_000, "n%d, ") + "]",
		"retry":        "retry: {when: [" + many(90_000, "a%d, ") + "]}",
		"exit codes":   "allow_failure: {exit_codes: [" + many(90_000, "%d, ") + "]}",
		"matrix":       "parallel: {matrix: [{" + many(7, "A%d: [1, 2], ") + many(300, "K%d: v, ") + "}]}",
		"only":         "only: [" + many(90_000, "n%d, ") + "]",
		"rules":        "rules: [" + many(20_000, "{if: $A%d}, ") + "]",
		"identical":    "script: [" + many(90_000, "x%d, ") + "]",
		"unknown keys": many(40_000, "key%d: x, "),
	} {
		start := time.Now()
		content := ".b: {script: x, " + base + "}" + rest
		_, _, diags := ciyaml.Load(t.Context(), mapSource{".gitlab-ci.yml": content}, rootInput)
		message := diags.First().Message
		t.Logf("%s: %v: %.80s", name, time.Since(start), message)
		if took := time.Since(start); took > 20*time.Second || !strings.HasSuffix(message, " is too big") {
			t.Errorf("%s: took %v: %s", name, took, message)
		}
	}
}
