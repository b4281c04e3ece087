package ciyaml_test

import (
	"slices"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/templates"
)

// Every template compiles, beside one job at least, and has its name.
func TestTemplates(t *testing.T) {
	names := templates.Names()
	for _, want := range []string{"Workflows/Branch-Pipelines.gitlab-ci.yml", "Workflows/MergeRequest-Pipelines.gitlab-ci.yml"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s", want)
		}
	}
	for _, name := range names {
		source := mapSource{".gitlab-ci.yml": "include: [{template: " + name + "}]\nj: {script: x}\n", "Dockerfile": ""}
		config, _, diags := ciyaml.Load(t.Context(), source, rootInput)
		if diags.Failed() {
			t.Errorf("%s: %v", name, diags)
			continue
		}
		if _, diags := config.Pipeline(branch()); diags.Failed() {
			t.Errorf("%s: %v", name, diags)
		}
	}
	for _, name := range []string{"", ".", "../templates.go", "Workflows", "/Bash.gitlab-ci.yml", "Bash", "Workflows/../Bash.gitlab-ci.yml"} {
		if _, ok := templates.Read(name); ok {
			t.Errorf("%q is a template", name)
		}
	}
}
