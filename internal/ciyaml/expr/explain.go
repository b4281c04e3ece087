package expr

import (
	"strings"
	"unicode"
)

// Result is what one operand of an expression came to.
type Result string

// The results. Null, Blank and Text are those of an operand that is no
// comparison: a variable that is unset, one whose value is empty or blank, and
// one that has a value. Skipped operands were not looked at, since those before
// them decided; Wrong ones could not be evaluated, which makes the whole
// expression false.
const (
	True    Result = "true"
	False   Result = "false"
	Null    Result = "unset"
	Blank   Result = "empty"
	Text    Result = "set"
	Skipped Result = "skipped"
	Wrong   Result = "invalid"
)

// Part is one operand of the && and || that join an expression, or the whole of
// an expression that has neither.
type Part struct {
	Text      string // in the form of String
	Result    Result
	Variables []string // that it reads, in order of first appearance
}

// Explain is Eval that tells what each operand came to, from left to right.
func (e *Expr) Explain(lookup Lookup) (holds bool, parts []Part) {
	x := explainer{lookup: lookup}
	v, err := x.visit(e.root)
	return err == nil && v.holds(), x.parts
}

type explainer struct {
	lookup Lookup
	parts  []Part
}

func (x *explainer) visit(n node) (value, error) {
	b, ok := n.(*binary)
	if !ok || b.op != opAnd && b.op != opOr {
		v, err := n.eval(x.lookup)
		x.add(n, v.result(err))
		return v, err
	}
	left, err := x.visit(b.left)
	if err != nil || left.truthy() == (b.op == opOr) {
		x.skip(b.right)
		return left, err
	}
	return x.visit(b.right)
}

func (x *explainer) skip(n node) {
	if b, ok := n.(*binary); ok && (b.op == opAnd || b.op == opOr) {
		x.skip(b.left)
		x.skip(b.right)
		return
	}
	x.add(n, Skipped)
}

func (x *explainer) add(n node, r Result) {
	var b strings.Builder
	n.print(&b)
	x.parts = append(x.parts, Part{b.String(), r, variablesOf(n)})
}

func (v value) result(err error) Result {
	switch {
	case err != nil:
		return Wrong
	case v.kind == isNull:
		return Null
	case v.kind == isFalse:
		return False
	case v.kind == isText && v.holds():
		return Text
	case v.kind == isText:
		return Blank
	}
	return True
}

// holds is what the value of a whole expression means.
func (v value) holds() bool {
	switch v.kind {
	case isTrue, isPattern:
		return true
	case isText:
		return strings.ContainsFunc(v.text, func(r rune) bool { return !unicode.IsSpace(r) })
	}
	return false
}
