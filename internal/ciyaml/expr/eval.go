package expr

import (
	"errors"
	"regexp"
	"strings"
)

// Lookup returns the value of a variable and whether it is set.
type Lookup = func(name string) (value string, set bool)

// Eval reports whether the expression holds. An expression that cannot be
// evaluated (a variable holds a bad pattern) does not hold.
func (e *Expr) Eval(lookup Lookup) bool {
	v, err := e.root.eval(lookup)
	return err == nil && v.holds()
}

type valueKind uint8

const (
	isNull valueKind = iota
	isFalse
	isTrue
	isText
	isPattern
)

// value is a Ruby value. The zero value is null.
type value struct {
	kind valueKind
	text string         // of isText; of isPattern: its source
	re   *regexp.Regexp // of isPattern
}

func boolean(b bool) value {
	if b {
		return value{kind: isTrue}
	}
	return value{kind: isFalse}
}

// truthy is Ruby's notion, inside && and ||: even "" is true.
func (v value) truthy() bool { return v.kind != isNull && v.kind != isFalse }

// string is Ruby's to_s.
func (v value) string() string {
	switch v.kind {
	case isTrue:
		return "true"
	case isFalse:
		return "false"
	}
	return v.text
}

func (v variable) eval(lookup Lookup) (value, error) {
	s, set := lookup(string(v))
	if !set {
		return value{}, nil
	}
	return value{kind: isText, text: s}, nil
}

func (t text) eval(Lookup) (value, error) { return value{kind: isText, text: string(t)}, nil }

func (null) eval(Lookup) (value, error) { return value{}, nil }

func (p *pattern) eval(Lookup) (value, error) {
	return value{kind: isPattern, text: p.body, re: p.re}, nil
}

func (n *binary) eval(lookup Lookup) (value, error) {
	left, err := n.left.eval(lookup)
	if err != nil {
		return value{}, err
	}
	if n.op == opAnd && !left.truthy() || n.op == opOr && left.truthy() {
		return left, nil
	}
	right, err := n.right.eval(lookup)
	if err != nil {
		return value{}, err
	}
	switch n.op {
	case opEqual:
		return boolean(left.equal(right)), nil
	case opNotEqual:
		return boolean(!left.equal(right)), nil
	case opMatch, opNotMatch:
		found, err := match(left, right)
		if err != nil {
			return value{}, err
		}
		return boolean(found == (n.op == opMatch)), nil
	}
	return right, nil
}

func (v value) equal(w value) bool { return v.kind == w.kind && v.text == w.text }

// valuePattern is the form of a value that =~ takes as a pattern.
var valuePattern = regexp.MustCompile(`(?m)^/(.*)/([ismU]*)$`)

// findPattern returns the match of valuePattern, fast where there is none.
func findPattern(text string) []string {
	if strings.IndexByte(text, '/') < 0 {
		return nil
	}
	return valuePattern.FindStringSubmatch(text)
}

var errNoPattern = errors.New("right side of a match is neither text nor pattern")

// match is the =~ operator.
func match(left, right value) (bool, error) {
	switch right.kind {
	case isNull, isFalse:
		return false, nil
	case isTrue:
		return false, errNoPattern
	case isPattern:
		return right.re.MatchString(left.string()), nil
	}
	if m := findPattern(right.text); m != nil {
		re, err := compile(m[1], m[2])
		if err != nil {
			return false, err
		}
		return re.MatchString(left.string()), nil
	}
	// The original searches the right text for the left one, not the reverse.
	return strings.Contains(right.text, left.string()), nil
}
