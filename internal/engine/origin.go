package engine

import (
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// An OriginKind says where the value of a job's variable comes from.
type OriginKind string

// The kinds of origins, from the lowest precedence to the highest
// (contract/ci-yaml.md 5.1).
const (
	OriginPredefined OriginKind = "predefined"
	OriginGlobal     OriginKind = "global"   // variables of the whole configuration
	OriginWorkflow   OriginKind = "workflow" // the workflow rule that matched
	OriginJob        OriginKind = "job"      // variables of the job in the configuration
	OriginMatrix     OriginKind = "matrix"
	OriginRule       OriginKind = "rule"   // the rule of the job that matched
	OriginUser       OriginKind = "user"   // GITLAB_USER_*, predefined but above the configuration
	OriginDotenv     OriginKind = "dotenv" // a report of an earlier job
	OriginInstance   OriginKind = "instance"
	OriginGroup      OriginKind = "group"
	OriginProject    OriginKind = "project"
	OriginPipeline   OriginKind = "pipeline" // given when the pipeline was started, by whatever way
	OriginManual     OriginKind = "manual"   // given when the job was played
)

// An Origin is where the value of a variable comes from.
type Origin struct {
	Kind  OriginKind
	Group string // full path of the group
	Job   string // name of the job that reported it
}

// A variableLayer is variables of one origin.
type variableLayer struct {
	origin Origin
	list   []ci.Variable
}

// mergeLayers keeps the last variable of each key, in the order of precedence.
func mergeLayers(layers []variableLayer) []ci.Variable {
	lists := make([][]ci.Variable, len(layers))
	for i := range layers {
		lists[i] = layers[i].list
	}
	return mergeVariables(lists...)
}

// yamlOrigins are the parts of a configuration that set variables, from the lowest.
var yamlOrigins = []struct {
	layer ciyaml.Layers
	kind  OriginKind
}{
	{ciyaml.LayerGlobal, OriginGlobal}, {ciyaml.LayerWorkflow, OriginWorkflow}, {ciyaml.LayerJob, OriginJob},
	{ciyaml.LayerMatrix, OriginMatrix}, {ciyaml.LayerRule, OriginRule},
}

// origins lists where a variable is set that a layer has: one place but for those
// of the configuration, from the lowest.
func (l *variableLayer) origins(v ci.Variable) []Origin {
	if l.origin.Kind != originYAML {
		return []Origin{l.origin}
	}
	var list []Origin
	for _, part := range yamlOrigins {
		if ciyaml.Layers(v.Layers)&part.layer != 0 {
			list = append(list, Origin{Kind: part.kind})
		}
	}
	return list
}

// originYAML marks the layer of the configuration, whose variables know more.
const originYAML OriginKind = "yaml"

// A TracedVariable is a variable of a job's final list with where its value comes
// from and what it overrode, the nearest first.
type TracedVariable struct {
	ci.Variable
	Origin   Origin
	Overrode []Origin
	Shown    bool // the caller may see the value; else it is empty
}

// traceLayers is mergeLayers that says where each value comes from.
func traceLayers(layers []variableLayer) []TracedVariable {
	places := map[string][]Origin{}
	for i := range layers {
		for _, v := range layers[i].list {
			places[v.Key] = append(places[v.Key], layers[i].origins(v)...)
		}
	}
	merged := mergeLayers(layers)
	list := make([]TracedVariable, len(merged))
	for i, v := range merged {
		all := places[v.Key]
		list[i] = TracedVariable{Variable: v, Origin: all[len(all)-1]}
		for k := len(all) - 2; k >= 0; k-- {
			list[i].Overrode = append(list[i].Overrode, all[k])
		}
	}
	return list
}
