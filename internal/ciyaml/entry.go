package ciyaml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/duration"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A place is where in the configuration a node is, in the words of GitLab's
// messages: jobs:rspec:artifacts. It is only written out when something is
// wrong there.
type place struct {
	parent *place
	key    string
}

func (p *place) child(key string) *place { return &place{p, key} }

func (p *place) String() string {
	if p.parent == nil {
		return p.key
	}
	return p.parent.String() + ":" + p.key
}

// A checker walks the merged configuration, checks every entry and turns it
// into values. It collects all errors: first a node's own, then, if it has
// none, those of the nodes below it (contract 1.3).
type checker struct {
	diags    Diagnostics
	exprs    map[string]*expr.Expr // by text: rules repeat
	done     map[memoKey]any       // by node: jobs that extend another share its nodes
	sizes    map[*tree.Node]int    // of nodes, everything in them included
	spent    int                   // nodes of the jobs read so far, and instances of matrices
	workflow bool                  // there are workflow:rules
	warnings Diagnostics
}

func newChecker() *checker {
	return &checker{exprs: map[string]*expr.Expr{}, done: map[memoKey]any{}, sizes: map[*tree.Node]int{}}
}

// maxSpent is how many nodes all jobs may have together, each counted for every
// job that has it: a few lines can give thousands of jobs the same long list.
const maxSpent = 5_000_000

// size counts the nodes in n.
func (c *checker) size(n *tree.Node) int {
	if n == nil || len(n.Items) == 0 && len(n.Pairs) == 0 {
		return 1
	}
	if size, ok := c.sizes[n]; ok {
		return size
	}
	size := 1
	for _, item := range n.Items {
		size += c.size(item)
	}
	for _, pair := range n.Pairs {
		size += 1 + c.size(pair.Value)
	}
	size = min(size, maxSpent+1)
	c.sizes[n] = size
	return size
}

// A memoKey is a node and what it was read as.
type memoKey struct {
	as   string
	node *tree.Node
}

// memo reads a node that many jobs may share only once, unless there is
// something wrong with it: messages name the job.
func memo[T any](c *checker, as string, n *tree.Node, read func() T) T {
	key := memoKey{as, n}
	if value, ok := c.done[key]; ok {
		return value.(T)
	}
	before := len(c.diags)
	value := read()
	if len(c.diags) == before {
		c.done[key] = value
	}
	return value
}

// maxDiagnostics is where a checker stops looking.
const maxDiagnostics = 1000

func (c *checker) full() bool { return len(c.diags) >= maxDiagnostics }

// config stands for the node itself where a message names an attribute.
const config = "config"

// fail adds GitLab's error about an attribute of the node at p. GitLab writes
// these in lower case throughout, names of jobs included.
func (c *checker) fail(p *place, pos tree.Pos, attribute, message string) *Diagnostic {
	return c.raw(pos, strings.ToLower(p.String()+" "+strings.ReplaceAll(attribute, "_", " ")+" "+message))
}

func (c *checker) raw(pos tree.Pos, message string) *Diagnostic {
	if c.full() {
		return &Diagnostic{}
	}
	c.diags = append(c.diags, Diagnostic{Pos: pos, Code: CodeConfig, Message: message})
	return &c.diags[len(c.diags)-1]
}

// maxHinted is for how many words of a list a near one is looked for.
const maxHinted = 20

// keyset is the keys that a map may have.
type keyset struct{ known []string }

// keys refuses the keys of n that nothing is called, and reports whether there
// are none.
func (c *checker) keys(p *place, n *tree.Node, ks *keyset) bool {
	var unknown []string
	var pos tree.Pos
	for _, pair := range n.Pairs {
		if slices.Contains(ks.known, pair.Key) {
			continue
		}
		if unknown == nil {
			pos = pair.KeyPos
		}
		unknown = append(unknown, pair.Key)
	}
	if unknown != nil {
		d := c.fail(p, pos, config, "contains unknown keys: "+strings.Join(unknown, ", "))
		for _, key := range unknown[:min(len(unknown), maxHinted)] {
			if d.Hint == "" {
				d.Hint = didYouMean(key, ks.known)
			}
		}
	}
	return unknown == nil
}

// What warnings say of a keyword that is read and does nothing yet.
const (
	noEffect      = "has no effect yet"
	refusedAtOnce = "is not supported yet: a pipeline with this job is refused"
)

// notYet warns of such a keyword, once for each place.
func (c *checker) notYet(pos tree.Pos, keyword, what string) {
	d := Diagnostic{Pos: pos, Severity: Warning, Code: CodeUnsupported, Message: fmt.Sprintf("keyword %q %s", keyword, what)}
	if len(c.warnings) < maxWarnings && !slices.Contains(c.warnings, d) {
		c.warnings = append(c.warnings, d)
	}
}

// given returns the value of a key, nil when it is missing or null.
func given(n *tree.Node, key string) *tree.Node {
	if v := n.Get(key); !v.IsNull() {
		return v
	}
	return nil
}

// keyPos returns where key stands in n, or the place of n itself.
func keyPos(n *tree.Node, key string) tree.Pos {
	if n.Kind == tree.Map {
		for i := range n.Pairs {
			if n.Pairs[i].Key == key {
				return n.Pairs[i].KeyPos
			}
		}
	}
	return n.Pos
}

// isMap reports whether n is a map, and fails if not.
func (c *checker) isMap(p *place, n *tree.Node) bool {
	if n.Kind != tree.Map {
		c.fail(p, n.Pos, config, "should be a hash")
		return false
	}
	return true
}

// text reads a string; nil gives "".
func (c *checker) text(p *place, n *tree.Node, attribute string) string {
	if n == nil {
		return ""
	}
	if n.Kind != tree.String {
		c.fail(p, n.Pos, attribute, "should be a string")
	}
	return n.Text
}

// flag reads a boolean; nil gives unset.
func (c *checker) flag(p *place, n *tree.Node, attribute string, unset bool) bool {
	if n == nil {
		return unset
	}
	if n.Kind != tree.Bool {
		c.fail(p, n.Pos, attribute, "should be a boolean value")
	}
	return n.Text == "true"
}

// choice reads one of several words; nil gives unset.
func (c *checker) choice(p *place, n *tree.Node, attribute, unset string, words ...string) string {
	if n == nil {
		return unset
	}
	if n.Kind != tree.String || !slices.Contains(words, n.Text) {
		d := c.fail(p, n.Pos, attribute, "should be one of: "+strings.Join(words, ", "))
		d.Hint = didYouMean(n.Text, words)
	}
	return n.Text
}

// list reads a list of strings; nil gives nil.
func (c *checker) list(p *place, n *tree.Node, attribute string) []string {
	if n == nil {
		return nil
	}
	out, bad := stringList(n)
	if bad != nil {
		c.fail(p, bad.Pos, attribute, "should be an array of strings")
	}
	return out
}

// listOrText reads a list of strings, or a string as a list of one.
func (c *checker) listOrText(p *place, n *tree.Node, attribute string) []string {
	if n == nil {
		return nil
	}
	if n.Kind == tree.String {
		return []string{n.Text}
	}
	out, bad := stringList(n)
	if bad != nil {
		c.fail(p, bad.Pos, attribute, "should be an array of strings or a string")
	}
	return out
}

// stringList returns the strings of a list, or the node that is none.
func stringList(n *tree.Node) ([]string, *tree.Node) {
	if n.Kind != tree.Seq {
		return nil, n
	}
	out := make([]string, len(n.Items))
	for i, item := range n.Items {
		if item.Kind != tree.String {
			return nil, item
		}
		out[i] = item.Text
	}
	return out, nil
}

// integers reads an integer or a list of them; nil gives nil.
func (c *checker) integers(p *place, n *tree.Node, attribute string) []int {
	if n == nil {
		return nil
	}
	items := []*tree.Node{n}
	if n.Kind == tree.Seq {
		items = n.Items
	}
	var out []int
	for _, item := range items {
		i, ok := integer(item)
		if !ok {
			c.fail(p, item.Pos, attribute, "should be an array of integers or an integer")
			return nil
		}
		out = append(out, i)
	}
	return out
}

func integer(n *tree.Node) (int, bool) {
	if n.Kind != tree.Int {
		return 0, false
	}
	i, err := strconv.Atoi(n.Text)
	return i, err == nil
}

// maxNesting is how deep lists may lie in lists where GitLab flattens them.
const maxNesting = 10

// flatten returns the elements of a list whose lists count as their elements,
// at most maxNesting deep, or the node that is too deep or not wanted.
func flatten(n *tree.Node, want func(*tree.Node) bool) ([]*tree.Node, *tree.Node) {
	return appendFlat(nil, n, want, 1)
}

func appendFlat(out []*tree.Node, n *tree.Node, want func(*tree.Node) bool, depth int) ([]*tree.Node, *tree.Node) {
	if n.Kind != tree.Seq || depth > maxNesting {
		return nil, n
	}
	var bad *tree.Node
	for _, item := range n.Items {
		if item.Kind == tree.Seq {
			if out, bad = appendFlat(out, item, want, depth+1); bad != nil {
				return nil, bad
			}
			continue
		}
		if !want(item) {
			return nil, item
		}
		out = append(out, item)
	}
	return out, nil
}

func isString(n *tree.Node) bool { return n.Kind == tree.String }

// flatTexts is flatten for strings.
func flatTexts(n *tree.Node) ([]string, *tree.Node) {
	items, bad := flatten(n, isString)
	if bad != nil {
		return nil, bad
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = item.Text
	}
	return out, nil
}

const (
	week  = 7 * 24 * 60 * 60
	month = 30 * 24 * 60 * 60
)

// seconds reads a duration of at most limit seconds.
func (c *checker) seconds(p *place, n *tree.Node, attribute string, limit int64) int64 {
	if n.Kind == tree.String || n.Kind == tree.Int {
		switch s, never, err := duration.Parse(n.Text); {
		case err != nil || never:
		case s > limit:
			c.fail(p, n.Pos, attribute, "should not exceed the limit")
			return s
		default:
			return s
		}
	}
	c.fail(p, n.Pos, attribute, "should be a duration")
	return 0
}

// expression compiles a condition, which must be written in a string.
func (c *checker) expression(n *tree.Node) (*expr.Expr, string, bool) {
	if n.Kind != tree.String {
		return nil, "an expression is a string", false
	}
	if e, ok := c.exprs[n.Text]; ok {
		return e, "", true
	}
	e, err := expr.Parse(n.Text)
	if err != nil {
		return nil, expressionHint(n.Text, err), false
	}
	c.exprs[n.Text] = e
	return e, "", true
}
