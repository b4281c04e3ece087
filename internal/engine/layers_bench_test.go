package engine

import (
	"fmt"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// benchLayers is what a usual job has: a hundred predefined variables, twenty of
// the configuration, some of which refer to others, and forty of the project and
// the groups above it.
func benchLayers() (*reachingVariables, []variableLayer) {
	predefined := variableLayer{origin: Origin{Kind: OriginPredefined}}
	for i := range 100 {
		predefined.list = append(predefined.list, ci.Variable{Key: fmt.Sprintf("CI_PREDEFINED_%d", i), Value: "some value of usual length"})
	}
	yaml := variableLayer{origin: Origin{Kind: originYAML}}
	for i := range 20 {
		yaml.list = append(yaml.list, ci.Variable{Key: fmt.Sprintf("YAML_%d", i), Value: fmt.Sprintf("$CI_PREDEFINED_%d and ${OWNED_%d}", i, i), Layers: 1})
	}
	r := &reachingVariables{}
	for _, kind := range []OriginKind{OriginInstance, OriginGroup, OriginProject} {
		owner := ownerOfSome{origin: Origin{Kind: kind}}
		for i := range 20 {
			owner.list = append(owner.list, ci.OwnedVariable{
				Variable: ci.Variable{Key: fmt.Sprintf("OWNED_%d", i), Value: "s3cr3tvalue", Masked: true}, Scope: []string{"*", "review/*"}[i%2],
			})
		}
		r.owners = append(r.owners, owner)
	}
	return r, []variableLayer{predefined, yaml}
}

// BenchmarkJobVariables is what the final list of a job costs without the
// database: the choice among what owners have, precedence and expansion.
func BenchmarkJobVariables(b *testing.B) {
	reaching, below := benchLayers()
	for _, environment := range []string{"", "review/app"} {
		b.Run("environment="+environment, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				layers := append(append([]variableLayer{}, below...), reaching.pick(true, environment)...)
				if list := expandVariables(mergeLayers(layers)); len(list) < 120 {
					b.Fatalf("got %d variables", len(list))
				}
			}
		})
	}
}

// BenchmarkTracedVariables is the same with where each value comes from.
func BenchmarkTracedVariables(b *testing.B) {
	reaching, below := benchLayers()
	b.ReportAllocs()
	for b.Loop() {
		layers := append(append([]variableLayer{}, below...), reaching.pick(true, "review/app")...)
		if list := traceLayers(layers); len(list) < 120 {
			b.Fatalf("got %d variables", len(list))
		}
	}
}
