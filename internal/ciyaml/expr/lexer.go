package expr

import (
	"regexp"
	"strconv"
	"strings"
)

// maxTokens is how many tokens an expression may have.
const maxTokens = 100

// SyntaxError says where and why a text is no expression.
type SyntaxError struct {
	Offset  int // in bytes, from 0
	Message string
}

// Error returns the message with the offset.
func (e *SyntaxError) Error() string {
	return e.Message + " at offset " + strconv.Itoa(e.Offset)
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenOpen
	tokenClose
	tokenOperand
	tokenOperator
)

type token struct {
	kind    tokenKind
	offset  int
	operand node     // of a tokenOperand
	op      operator // of a tokenOperator
	text    string   // as written
}

// patternRE finds a pattern literal at the start of a text. The last character
// of the body is matched apart, so that an escaped slash does not end it.
var patternRE = regexp.MustCompile(`^/((?:[^/]|\\/)+[^\\])/([ismU]*)`)

// lex cuts src into tokens, the last of which is a tokenEnd. in is nil unless
// inputs are part of the language.
func lex(src string, in *InputTypes) ([]token, error) {
	var tokens []token
	for at := 0; ; {
		at += len(src[at:]) - len(strings.TrimLeft(src[at:], " \t\r\n\f\v"))
		if at == len(src) {
			return append(tokens, token{kind: tokenEnd, offset: at}), nil
		}
		if len(tokens) == maxTokens {
			return nil, &SyntaxError{at, "too many tokens (maximum is " + strconv.Itoa(maxTokens) + ")"}
		}
		t, found := in.next(src[at:])
		var err error
		if !found {
			t, err = next(src[at:], at)
		}
		if err != nil {
			return nil, err
		}
		t.offset = at
		at += len(t.text)
		tokens = append(tokens, t)
	}
}

// next returns the token at the start of src; offset is for errors.
func next(src string, offset int) (token, error) {
	switch src[0] {
	case '(':
		return token{kind: tokenOpen, text: "("}, nil
	case ')':
		return token{kind: tokenClose, text: ")"}, nil
	case '$':
		n := 1
		for n < len(src) && isWord(src[n]) {
			n++
		}
		if n == 1 {
			return token{}, &SyntaxError{offset, "a variable is written $NAME"}
		}
		return token{kind: tokenOperand, operand: variable(src[1:n]), text: src[:n]}, nil
	case '"', '\'':
		n := strings.IndexByte(src[1:], src[0])
		if n < 0 || strings.Contains(src[1:1+n], "\n") {
			return token{}, &SyntaxError{offset, "string without its closing " + src[:1]}
		}
		return token{kind: tokenOperand, operand: text(src[1 : 1+n]), text: src[:n+2]}, nil
	case '/':
		return lexPattern(src, offset)
	}
	if strings.HasPrefix(src, "null") {
		return token{kind: tokenOperand, operand: null{}, text: "null"}, nil
	}
	for op, symbol := range operatorText {
		if strings.HasPrefix(src, symbol) {
			return token{kind: tokenOperator, op: operator(op), text: symbol}, nil
		}
	}
	return token{}, &SyntaxError{offset, "unexpected " + strconv.Quote(firstWord(src))}
}

func lexPattern(src string, offset int) (token, error) {
	m := patternRE.FindStringSubmatch(src)
	if m == nil {
		return token{}, &SyntaxError{offset, "a pattern is written /…/ with at least two characters inside"}
	}
	p := &pattern{body: m[1], flags: m[2]}
	re, err := compile(p.body, p.flags)
	if err != nil {
		return token{}, &SyntaxError{offset, "invalid pattern: " + err.Error()}
	}
	p.re = re
	return token{kind: tokenOperand, operand: p, text: m[0]}, nil
}

// compile returns the RE2 pattern of a body in which slashes are escaped.
func compile(body, flags string) (*regexp.Regexp, error) {
	body = strings.ReplaceAll(body, `\/`, `/`)
	if flags != "" {
		body = "(?" + flags + ")" + body
	}
	return regexp.Compile(body)
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// firstWord returns the text that a message about src should quote.
func firstWord(src string) string {
	n := strings.IndexAny(src, " \t\r\n()$\"'")
	switch {
	case n == 0:
		return src[:1]
	case n > 0:
		src = src[:n]
	}
	if r := []rune(src); len(r) > 20 {
		return string(r[:20]) + "…"
	}
	return src
}
