package ciyaml_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// realistic is a configuration of 11 jobs with an include, as people write
// them.
func realistic(tb testing.TB) mapSource {
	tb.Helper()
	source := mapSource{}
	for name, file := range map[string]string{".gitlab-ci.yml": "testdata/ci.yml", "ci/common.yml": "testdata/common.yml"} {
		content, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		source[name] = string(content)
	}
	return source
}

// manyJobs is a configuration of n jobs with rules, variables and needs.
func manyJobs(n int) string {
	var b strings.Builder
	b.WriteString("stages: [build, test, deploy]\nvariables: {A: a, B: \"$A\", C: c}\ndefault: {image: golang, tags: [linux]}\n")
	for i := range n {
		fmt.Fprintf(&b, "build-%d: {stage: build, script: [make], rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\"', when: never}, {if: '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'}]}\n", i)
		if i++; i < n {
			fmt.Fprintf(&b, "test-%d: {script: [make test], variables: {T: \"%d\"}, needs: [build-%d]}\n", i, i, i-1)
		}
	}
	return b.String()
}

// firstJobs is a configuration of exactly n jobs, alternating the two kinds.
func firstJobs(n int) string {
	lines := strings.SplitAfter(manyJobs(2*n), "\n")
	return strings.Join(lines[:3+n], "")
}

// serverInput is a trigger with as many predefined variables as a server has.
func serverInput() ciyaml.Input {
	in := branch()
	in.Source = "trigger"
	for i := range 60 {
		in.Predefined = append(in.Predefined, ciyaml.Variable{Key: fmt.Sprintf("CI_PREDEFINED_%d", i), Value: "some value"})
	}
	for i := range 5 {
		in.Overrides = append(in.Overrides, ciyaml.Variable{Key: fmt.Sprintf("USER_%d", i), Value: "some value"})
	}
	return in
}

func BenchmarkLoad(b *testing.B) {
	cases := []struct {
		name   string
		source mapSource
	}{
		{"realistic", realistic(b)},
		{"jobs=5", mapSource{".gitlab-ci.yml": firstJobs(5)}},
		{"jobs=300", mapSource{".gitlab-ci.yml": firstJobs(300)}},
		{"jobs=3000", mapSource{".gitlab-ci.yml": firstJobs(3000)}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, diags := ciyaml.Load(b.Context(), c.source, rootInput); diags.Failed() {
					b.Fatal(diags)
				}
			}
		})
	}
}

func BenchmarkPipeline(b *testing.B) {
	for _, n := range []int{5, 40} {
		b.Run(fmt.Sprintf("jobs=%d", n), func(b *testing.B) {
			benchmarkPipeline(b, firstJobs(n), n)
		})
	}
	b.Run("realistic", func(b *testing.B) {
		config, _, diags := ciyaml.Load(b.Context(), realistic(b), rootInput)
		if diags.Failed() {
			b.Fatal(diags)
		}
		runPipeline(b, config, 11)
	})
}

func benchmarkPipeline(b *testing.B, content string, jobs int) {
	runPipeline(b, load(b, content), jobs)
}

func runPipeline(b *testing.B, config *ciyaml.Config, jobs int) {
	in := serverInput()
	b.ReportAllocs()
	for b.Loop() {
		plan, diags := config.Pipeline(in)
		if diags.Failed() || len(plan.Jobs) != jobs {
			b.Fatal(diags, names(plan))
		}
	}
}

// Creating a pipeline is on the path of every trigger; its allocations must
// not grow with the number of jobs but for the jobs themselves.
func TestPipelineAllocations(t *testing.T) {
	in := serverInput()
	for _, n := range []int{5, 40} {
		config := load(t, firstJobs(n))
		got := testing.AllocsPerRun(100, func() {
			if _, diags := config.Pipeline(in); diags.Failed() {
				t.Fatal(diags)
			}
		})
		if want := 16.0; got > want {
			t.Errorf("%d jobs: got %v allocations, want at most %v", n, got, want)
		}
	}
}

// BenchmarkOtherInputs is a load of a commit that was loaded before with other
// inputs.
func BenchmarkOtherInputs(b *testing.B) {
	content := "spec: {inputs: {name: {}}}\n---\nlast: {script: 'echo $[[ inputs.name ]]'}\n" + firstJobs(100)
	source := mapSource{".gitlab-ci.yml": content}
	in := rootInput
	in.Parsed = &ciyaml.FileCache{MaxBytes: 1 << 20}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in.Inputs = []ciyaml.InputValue{{Name: "name", JSON: fmt.Sprint(i)}}
		if _, _, diags := ciyaml.Load(b.Context(), source, in); diags.Failed() {
			b.Fatal(diags)
		}
	}
}
