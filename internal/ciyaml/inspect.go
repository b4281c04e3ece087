package ciyaml

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// Inspection is what a configuration is made of, for those who show it.
type Inspection struct {
	// Merged is the configuration with its includes, extends and references in
	// place, and with .pre and .post round the stages that it lists. It is nil when
	// loading stopped before.
	Merged   *tree.Node
	Includes []Include // in the order in which they were read
}

// Include is a file that a configuration includes.
type Include struct {
	Kind     string // local, file, remote, template, component
	Location string // as written, variables replaced
	// Project, SHA and Path say where in a repository of this server the file is;
	// they are empty when it is in none.
	Project, SHA, Path string
	// ContextProject and ContextSHA are those of the file that includes it.
	ContextProject, ContextSHA string
	// FromProject and FromRef are what include:project says.
	FromProject, FromRef string
}

// Inspect is Load for those who want to see what the configuration is made of.
// The Inspection is there whatever the diagnostics say, as far as loading came.
func Inspect(ctx context.Context, src Source, in LoadInput) (*Config, Inspection, Diagnostics) {
	l := newLoader(ctx, src, in)
	config, diags := l.load()
	out := Inspection{Includes: l.included}
	if l.merged != nil {
		out.Merged = withEdges(l.merged)
	}
	return config, out, diags
}

// errNoContent is what GitLab says of a configuration without content that is in
// no file.
const errNoContent = "Please provide content of .gitlab-ci.yml"

// givenFile parses the configuration that is in the input. GitLab names no file
// in its messages about it.
func (l *loader) givenFile(start tree.Pos, content []byte) (*tree.Node, Diagnostics) {
	if blank(content) {
		return nil, configError(start, errNoContent)
	}
	f, diags := l.parse(fileKey{shown: l.in.Path}, l.in.Path, content) // an include of that path means the file
	var root *tree.Node
	switch {
	case diags != nil:
	case f.content == nil:
		diags = configError(start, errFormat)
	default:
		root, diags = l.fillRoot(f)
	}
	for i := range diags {
		diags[i].Message = strings.TrimPrefix(diags[i].Message, fmt.Sprintf("`%s`: ", l.in.Path))
	}
	return root, diags
}

// withEdges puts .pre and .post round the stages, if there are any that can be
// read.
func withEdges(root *tree.Node) *tree.Node {
	stages := given(root, "stages")
	if stages == nil {
		return root
	}
	names, bad := flatTexts(stages)
	if bad != nil || len(names) == 0 {
		return root
	}
	edge := func(name string) *tree.Node { return &tree.Node{Kind: tree.String, Pos: stages.Pos, Text: name} }
	items := []*tree.Node{edge(".pre")}
	for _, name := range names {
		if name != ".pre" && name != ".post" {
			items = append(items, edge(name))
		}
	}
	items = append(items, edge(".post"))
	replaced := &tree.Node{Kind: tree.Map, Pos: root.Pos, Pairs: []tree.Pair{{
		Key: "stages", KeyPos: keyPos(root, "stages"), Value: &tree.Node{Kind: tree.Seq, Pos: stages.Pos, Items: items},
	}}}
	return tree.Merge(root, replaced)
}

// A StaticJob is a job as it stands in the configuration, before any event.
type StaticJob struct {
	Job
	Only, Except string // as JSON, "" when nothing is said
}

// StaticJobs lists the jobs, by stage and then in the order of the file, parallel
// ones as often as they run.
func (c *Config) StaticJobs() []StaticJob {
	out := make([]StaticJob, len(c.order))
	for k, i := range c.order {
		spec := &c.jobs[i]
		out[k] = StaticJob{Job: spec.job, Only: spec.only.json(), Except: spec.entry.except.json()}
	}
	return out
}

// json writes what a policy says, with the refs that only means when it names
// none.
func (p *policy) json() string {
	switch {
	case p == nil:
		return ""
	case p.node == nil, p.node.Kind == tree.Seq:
		refs := p.node
		if refs == nil {
			refs = refTexts(p.refs)
		}
		return jsonText(onePair("refs", refs))
	case p.hasRefs && given(p.node, "refs") == nil:
		return jsonText(tree.Merge(onePair("refs", refTexts(p.refs)), p.node))
	}
	return jsonText(p.node)
}

func refTexts(refs []refPattern) *tree.Node {
	out := &tree.Node{Kind: tree.Seq}
	for _, ref := range refs {
		out.Items = append(out.Items, &tree.Node{Kind: tree.String, Text: ref.text})
	}
	return out
}

func onePair(key string, value *tree.Node) *tree.Node {
	return &tree.Node{Kind: tree.Map, Pairs: []tree.Pair{{Key: key, Value: value}}}
}
