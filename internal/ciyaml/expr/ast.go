package expr

import (
	"regexp"
	"strings"
)

// Expr is a parsed expression.
type Expr struct {
	root node
}

// String returns the canonical text: one blank around operators, parentheses
// only where the tree needs them. Parse of it gives the same tree.
func (e *Expr) String() string {
	var b strings.Builder
	e.root.print(&b)
	return b.String()
}

// Variables returns the names that the expression reads, in order of first
// appearance, once each.
func (e *Expr) Variables() []string { return variablesOf(e.root) }

func variablesOf(root node) []string {
	var names []string
	seen := map[string]bool{}
	walk(root, func(n node) {
		if v, ok := n.(variable); ok && !seen[string(v)] {
			seen[string(v)] = true
			names = append(names, string(v))
		}
	})
	return names
}

// node is a part of the tree: variable, text, *pattern, null or *binary.
type node interface {
	eval(lookup Lookup) (value, error)
	print(b *strings.Builder)
}

type variable string // $NAME

type text string // a string literal

type null struct{}

type pattern struct {
	body  string // as written, "\/" not yet undone
	flags string
	re    *regexp.Regexp
}

type binary struct {
	op          operator
	left, right node
}

type operator uint8

const (
	opOr operator = iota
	opAnd
	opEqual
	opNotEqual
	opMatch
	opNotMatch
)

var operatorText = [...]string{
	opOr: "||", opAnd: "&&", opEqual: "==", opNotEqual: "!=", opMatch: "=~", opNotMatch: "!~",
}

// precedence orders the operators: a higher one binds tighter.
func (o operator) precedence() int {
	switch o {
	case opOr:
		return 1
	case opAnd:
		return 2
	}
	return 3
}

func walk(n node, visit func(node)) {
	visit(n)
	if b, ok := n.(*binary); ok {
		walk(b.left, visit)
		walk(b.right, visit)
	}
}

func (v variable) print(b *strings.Builder) {
	b.WriteByte('$')
	b.WriteString(string(v))
}

func (t text) print(b *strings.Builder) {
	// A literal holds at most one of the two quotes: it has no escapes.
	quote := byte('"')
	if strings.IndexByte(string(t), '"') >= 0 {
		quote = '\''
	}
	b.WriteByte(quote)
	b.WriteString(string(t))
	b.WriteByte(quote)
}

func (null) print(b *strings.Builder) { b.WriteString("null") }

func (p *pattern) print(b *strings.Builder) {
	b.WriteByte('/')
	b.WriteString(p.body)
	b.WriteByte('/')
	b.WriteString(p.flags)
}

func (n *binary) print(b *strings.Builder) {
	printOperand(b, n.left, n.op.precedence())
	b.WriteByte(' ')
	b.WriteString(operatorText[n.op])
	b.WriteByte(' ')
	printOperand(b, n.right, n.op.precedence()+1)
}

// printOperand prints n, in parentheses if it binds weaker than least.
func printOperand(b *strings.Builder, n node, least int) {
	inner, ok := n.(*binary)
	if !ok || inner.op.precedence() >= least {
		n.print(b)
		return
	}
	b.WriteByte('(')
	n.print(b)
	b.WriteByte(')')
}
