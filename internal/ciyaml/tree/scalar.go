package tree

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

const referenceTag = "!reference"

func explicitString(y *yaml.Node) bool {
	return y.Style&yaml.TaggedStyle != 0 && y.Tag == "!!str"
}

func (b *builder) scalar(y *yaml.Node) (*Node, error) {
	n := &Node{Kind: String, Pos: b.pos(y), Text: y.Value}
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if y.Style&yaml.TaggedStyle == 0 && y.Style&quoted != 0 || explicitString(y) {
		return n, nil
	}
	if y.Tag == referenceTag {
		return &Node{Kind: Reference, Pos: n.Pos, Text: inspect(n)}, nil
	}
	kind, text, class := resolve(y.Value)
	if class != "" {
		return nil, b.fail(y, "Tried to load unspecified class: "+class)
	}
	n.Kind, n.Text = kind, text
	return n, nil
}

var (
	timeRE       = regexp.MustCompile(`^-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?\s*$`)
	dateRE       = regexp.MustCompile(`^\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)$`)
	sexagesimal  = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}$`)
	sexagesimalF = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*$`)
	floatRE      = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?$`)
	intRE        = regexp.MustCompile(`^(?:[-+]?0b[01_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|[-+]?0x[0-9a-fA-F_,]+)$`)
)

// resolve reads a plain scalar as Psych does. A class is set when Psych would
// have to load an object of a class that GitLab does not permit.
func resolve(s string) (kind Kind, text, class string) {
	if s == "" {
		return Null, "", ""
	}
	if k, t, ok := word(s); ok {
		return k, t, ""
	}
	switch c := s[0]; {
	case c == ':' && len(s) > 1:
		return String, symbol(s), ""
	case c != '.' && c != '-' && c != '+' && (c < '0' || c > '9') || strings.Contains(s, "\n"):
		return String, s, ""
	case timeRE.MatchString(s):
		return Null, "", "Time"
	case dateRE.MatchString(s):
		return Null, "", "Date"
	case sexagesimal.MatchString(s):
		return Int, base60(s).String(), ""
	case sexagesimalF.MatchString(s):
		return Float, FormatFloat(base60Float(s)), ""
	case floatRE.MatchString(s) && strings.Trim(s, "+-") != ".":
		f, err := strconv.ParseFloat(strings.NewReplacer(",", "", "_", "").Replace(s), 64)
		if err != nil && !math.IsInf(f, 0) {
			return String, s, ""
		}
		return Float, FormatFloat(f), ""
	case intRE.MatchString(s):
		if i, ok := integer(s); ok {
			return Int, i.String(), ""
		}
	}
	return String, s, ""
}

// word reads the scalars that are words: booleans, null, infinity.
func word(s string) (Kind, string, bool) {
	if len(s) > 5 {
		return Null, "", false
	}
	switch strings.ToLower(s) {
	case "~", "null":
		return Null, "", true
	case "yes", "true", "on":
		return Bool, "true", true
	case "no", "false", "off":
		return Bool, "false", true
	case ".inf", "+.inf":
		return Float, "Infinity", true
	case "-.inf":
		return Float, "-Infinity", true
	case ".nan":
		return Float, "NaN", true
	}
	return Null, "", false
}

// symbol returns the name of a Ruby symbol, :name or :"name".
func symbol(s string) string {
	s = s[1:]
	if s[0] == '"' || s[0] == '\'' {
		s = s[1:]
		if n := len(s); n > 0 && (s[n-1] == '"' || s[n-1] == '\'') {
			s = s[:n-1]
		}
	}
	return s
}

func integer(s string) (*big.Int, bool) {
	s = strings.NewReplacer(",", "", "_", "").Replace(s)
	sign := ""
	if s[0] == '-' || s[0] == '+' {
		sign, s = s[:1], s[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(s, "0x"):
		base, s = 16, s[2:]
	case strings.HasPrefix(s, "0b"):
		base, s = 2, s[2:]
	case len(s) > 1 && s[0] == '0':
		base, s = 8, s[1:]
	}
	return new(big.Int).SetString(sign+s, base)
}

func base60(s string) *big.Int {
	sum := new(big.Int)
	for i, part := range strings.Split(strings.ReplaceAll(s, "_", ""), ":") {
		n, _ := new(big.Int).SetString(part, 10)
		sum.Add(sum, n.Mul(n, big.NewInt([]int64{3600, 60, 1}[i])))
	}
	return sum
}

func base60Float(s string) float64 {
	var sum float64
	for i, part := range strings.Split(strings.ReplaceAll(s, "_", ""), ":") {
		f, _ := strconv.ParseFloat(strings.TrimSuffix(part, "."), 64)
		sum += f * []float64{3600, 60, 1}[i]
	}
	return sum
}

// FormatFloat writes f as Ruby's Float#to_s does: "1.0", "1.1", "1.0e+20",
// "Infinity".
func FormatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a == 0 || a >= 1e-4 && a < 1e16 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	return mantissa + "e" + exponent
}
