// Package expr is the language of rules:if, workflow:rules:if, include:rules:if
// and only:variables: comparisons of variables, strings and patterns, joined
// by && and ||.
//
// Parse turns a text into an Expr, Eval asks whether it holds for a set of
// variables, String prints it in a canonical form that parses to the same
// tree. An Expr is immutable and safe for concurrent use.
//
// The grammar, over at most 100 tokens:
//
//	expr       = and { "||" and } .
//	and        = comparison { "&&" comparison } .
//	comparison = operand { ( "==" | "!=" | "=~" | "!~" ) operand } .
//	operand    = variable | string | pattern | "null" | "(" expr ")" .
//
//	variable   = "$" word { word } .              word: A-Z a-z 0-9 _
//	string     = '"' { any } '"' | "'" { any } "'" .   shortest, one line, no escapes
//	pattern    = "/" body "/" { "i" | "s" | "m" | "U" } .
//	body       = two characters or more; "/" is written "\/"
//
// All operators are left-associative. ${VAR}, %VAR%, bare words, numbers and a
// leading "!" are no part of the language. Patterns are RE2, searched for
// anywhere in the text.
//
// Values are those of the Ruby original, oddities included: an unset variable
// is null, "&&" and "||" return one of their operands and treat only null and
// false as false (so $EMPTY || $P is the empty string), and the whole
// expression holds if its value is neither null, false nor blank. The right
// side of =~ may be any string: one of the form /re/flags is a pattern, any
// other text holds if the left text occurs in it.
package expr
