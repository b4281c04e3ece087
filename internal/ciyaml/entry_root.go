package ciyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// reserved are root keys that are never jobs, in the order of GitLab's errors.
var reserved = []string{"include", "before_script", "image", "services", "after_script", "variables", "stages", "cache"}

// deprecated are the keywords that may stand at the root instead of in
// default.
var deprecated = []string{"before_script", "image", "services", "after_script", "cache"}

// rootEntries is what the entries of the root say.
type rootEntries struct {
	stages      []string
	variables   []Variable
	rules       []rule
	workflowPos tree.Pos
	name        string // workflow:name
	namePos     tree.Pos
	autoCancel  AutoCancel
	jobs        []*jobEntry
}

// compile checks the merged configuration and makes a Config of it.
func compile(root *tree.Node) (*Config, Diagnostics) {
	if d := doublyDefined(root); d != nil {
		return nil, d
	}
	c := newChecker()
	entries := c.root(root)
	if c.diags != nil {
		return nil, c.diags
	}
	config, diags := assemble(root.Pos, entries)
	if diags != nil {
		return nil, diags
	}
	config.warnings = c.warnings
	return config, c.warnings
}

// doublyDefined is the one check of entries that stops at once.
func doublyDefined(root *tree.Node) Diagnostics {
	def := given(root, "default")
	if def == nil || looksLikeJob(def) {
		return nil
	}
	for _, key := range deprecated {
		if given(root, key) != nil && given(def, key) != nil {
			return configError(keyPos(root, key), fmt.Sprintf("%s is defined in top-level and `default:` entry", key))
		}
	}
	return nil
}

// looksLikeJob says when the keys default and workflow are names of jobs.
func looksLikeJob(n *tree.Node) bool {
	for _, key := range []string{"script", "run", "trigger", "needs"} {
		if n.Get(key) != nil {
			return true
		}
	}
	return false
}

func (c *checker) root(root *tree.Node) *rootEntries {
	out := &rootEntries{stages: defaultStages}
	workflow := given(root, "workflow")
	if workflow != nil && looksLikeJob(workflow) {
		workflow = nil
	}
	c.workflow = workflow != nil && given(workflow, "rules") != nil
	defaults := c.defaults(root)
	if n := given(root, "variables"); n != nil {
		out.variables = c.variables(&place{nil, "variables"}, n, rootVariables)
	}
	if n := given(root, "stages"); n != nil {
		out.stages = c.stages(&place{nil, "stages"}, n)
	}
	if workflow != nil {
		c.workflowEntry(&place{nil, "workflow"}, workflow, out)
	}
	out.jobs = c.jobs(root, defaults)
	return out
}

// defaultStages are those of a configuration that has none.
var defaultStages = []string{".pre", "build", "test", "deploy", ".post"}

// stages reads the stages and puts .pre and .post round them.
func (c *checker) stages(p *place, n *tree.Node) []string {
	names, bad := flatTexts(n)
	if bad != nil {
		c.fail(p, bad.Pos, config, "should be an array of strings or a nested array of strings up to 10 levels deep")
		return defaultStages
	}
	out := []string{".pre"}
	seen := map[string]bool{".pre": true, ".post": true}
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return append(out, ".post")
}

// jobs reads every root key that is a job. A key that is none hides the errors
// of all others.
func (c *checker) jobs(root *tree.Node, defaults *jobEntry) []*jobEntry {
	var visible, bridges, hidden []tree.Pair
	before := len(c.diags)
	for _, p := range root.Pairs {
		switch {
		case slices.Contains(reserved, p.Key):
		case (p.Key == "default" || p.Key == "workflow") && !looksLikeJob(p.Value):
		case strings.HasPrefix(p.Key, "."):
			hidden = append(hidden, p)
		case p.Value.Get("script") != nil || p.Value.Get("run") != nil:
			visible = append(visible, p)
		case p.Value.Get("trigger") != nil || p.Value.Get("needs") != nil:
			bridges = append(bridges, p)
		default:
			c.notAJob(p)
		}
	}
	if len(visible)+len(bridges) == 0 {
		c.fail(&place{nil, "jobs"}, root.Pos, config, "should contain at least one visible job")
	}
	if len(c.diags) > before {
		return nil
	}
	return c.inOrder(root, visible, bridges, hidden, defaults)
}

// inOrder checks the jobs of all kinds in the order of the file.
func (c *checker) inOrder(root *tree.Node, visible, bridges, hidden []tree.Pair, defaults *jobEntry) []*jobEntry {
	out := make([]*jobEntry, 0, len(visible))
	next := func(list *[]tree.Pair, key string) bool {
		if len(*list) == 0 || (*list)[0].Key != key {
			return false
		}
		*list = (*list)[1:]
		return true
	}
	jobs := &place{nil, "jobs"}
	for _, p := range root.Pairs {
		if c.full() {
			break
		}
		if c.spent += c.size(p.Value); c.spent > maxSpent {
			c.raw(p.KeyPos, errTotalSize)
			break
		}
		switch {
		case next(&visible, p.Key):
			out = append(out, c.job(jobs.child(p.Key), p, defaults))
		case next(&bridges, p.Key):
			out = append(out, c.bridge(jobs.child(p.Key), p))
		case next(&hidden, p.Key) && empty(p.Value):
			c.fail(jobs.child(p.Key), p.KeyPos, config, "can't be blank")
		}
	}
	return out
}

// notAJob reports a root key that cannot be a job. GitLab takes the name for
// an attribute here: a blank follows "jobs", and the name is humanised.
func (c *checker) notAJob(p tree.Pair) {
	name := strings.TrimLeft(p.Key, "_")
	if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz ") == "" {
		name = strings.ReplaceAll(name, " ", "_")
	} else {
		name = strings.NewReplacer("_", " ", ".", " ").Replace(name)
	}
	d := c.raw(p.KeyPos, strings.ToLower("jobs "+name+" config should implement the script:, run:, or trigger: keyword"))
	if p.Value.IsNull() || p.Value.Kind != tree.Map {
		d.Hint = didYouMean(p.Key, rootKeys)
		return
	}
	for _, key := range p.Value.Pairs {
		if nearest(key.Key, []string{"script", "trigger"}) != "" {
			d.Hint = fmt.Sprintf("line %d: unknown key %q: %s", key.KeyPos.Line, key.Key, didYouMean(key.Key, []string{"script", "trigger"}))
			return
		}
	}
}

var rootKeys = append([]string{"default", "workflow"}, reserved...)

// empty reports whether n is what Ruby on Rails calls blank.
func empty(n *tree.Node) bool {
	if n.IsNull() {
		return true
	}
	switch n.Kind {
	case tree.String:
		return strings.TrimSpace(n.Text) == ""
	case tree.Seq:
		return len(n.Items) == 0
	case tree.Map:
		return len(n.Pairs) == 0
	case tree.Bool:
		return n.Text == "false"
	}
	return false
}

func isHash(n *tree.Node) bool { return n.Kind == tree.Map }

// expressionHint says what is wrong with a condition, and how it is written in
// the cases that GitLab's users meet most.
func expressionHint(text string, err error) string {
	var se *expr.SyntaxError
	if !errors.As(err, &se) {
		return err.Error()
	}
	hint := fmt.Sprintf("at character %d: %s", se.Offset+1, se.Message)
	if strings.Contains(text, "${") {
		hint += "; write $NAME, not ${NAME}"
	}
	return short(strings.ReplaceAll(hint, "…", "..."))
}
