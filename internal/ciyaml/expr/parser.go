package expr

import "strconv"

// Parse reads an expression. The error is a *SyntaxError. Patterns written in
// the expression are compiled here, once, and a bad one is a syntax error.
func Parse(src string) (*Expr, error) { return parse(src, nil) }

func parse(src string, in *InputTypes) (*Expr, error) {
	tokens, err := lex(src, in)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens}
	root, err := p.binary(opOr.precedence())
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokenEnd {
		return nil, p.unexpected("an operator")
	}
	return &Expr{root: root}, nil
}

type parser struct {
	tokens []token // ends with a tokenEnd
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) advance() token {
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) unexpected(wanted string) *SyntaxError {
	t := p.peek()
	if t.kind == tokenEnd {
		return &SyntaxError{t.offset, "unexpected end, expected " + wanted}
	}
	return &SyntaxError{t.offset, "unexpected " + strconv.Quote(t.text) + ", expected " + wanted}
}

// binary reads operands joined by operators of at least the given precedence.
func (p *parser) binary(least int) (node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for p.peek().kind == tokenOperator && p.peek().op.precedence() >= least {
		op := p.advance().op
		right, err := p.binary(op.precedence() + 1)
		if err != nil {
			return nil, err
		}
		left = &binary{op: op, left: left, right: right}
	}
	return left, nil
}

func (p *parser) operand() (node, error) {
	switch p.peek().kind {
	case tokenOperand:
		return p.advance().operand, nil
	case tokenOpen:
		p.advance()
		inner, err := p.binary(opOr.precedence())
		if err != nil {
			return nil, err
		}
		if p.peek().kind != tokenClose {
			return nil, p.unexpected(`")"`)
		}
		p.advance()
		return inner, nil
	}
	return nil, p.unexpected("a variable, a string, a pattern or null")
}
