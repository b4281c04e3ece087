package tree

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxDigits is the length up to which a number is read as one: beyond it,
// conversion between bases would take a noticeable time.
const maxDigits = 1000

func explicitString(y *yaml.Node) bool {
	return y.Style&yaml.TaggedStyle != 0 && y.Tag == "!!str"
}

func (b *builder) scalar(y *yaml.Node) (*Node, error) {
	n := &Node{Kind: String, Pos: b.pos(y), Text: y.Value}
	if y.Style&yaml.TaggedStyle != 0 {
		return b.taggedScalar(y, n)
	}
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if y.Style&quoted != 0 {
		return n, nil
	}
	return n, b.plain(y, n)
}

// plain gives n the kind and text of a plain scalar.
func (b *builder) plain(y *yaml.Node, n *Node) error {
	kind, text, class := resolve(y.Value)
	if class != "" {
		return b.fail(y, unspecifiedClass+class)
	}
	n.Kind, n.Text = kind, text
	return nil
}

var (
	timeRE       = regexp.MustCompile(`^-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?$`)
	dateRE       = regexp.MustCompile(`^\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)$`)
	sexagesimal  = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}$`)
	sexagesimalF = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*$`)
	floatRE      = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?$`)
	intRE        = regexp.MustCompile(`^(?:[-+]?0b[01_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|[-+]?0x[0-9a-fA-F_,]+)$`)
)

var noSeparators = strings.NewReplacer(",", "", "_", "")

// resolve reads a plain scalar as Psych does. A class is set when Psych would
// have to load an object of a class that GitLab does not permit.
func resolve(s string) (kind Kind, text, class string) {
	if s == "" {
		return Null, "", ""
	}
	if k, t, ok := word(s); ok {
		return k, t, ""
	}
	c := s[0]
	switch {
	case c == ':' && len(s) > 1 && strings.IndexByte(s, '\n') < 0:
		return String, symbol(s), ""
	case c != '.' && c != '-' && c != '+' && (c < '0' || c > '9') || len(s) > maxDigits:
		return String, s, ""
	case timeRE.MatchString(s):
		return Null, "", "Time"
	case dateRE.MatchString(s):
		return Null, "", "Date"
	}
	if kind, text, ok := numeric(s); ok {
		return kind, text, ""
	}
	return String, s, ""
}

// numeric reads the numbers of YAML 1.1.
func numeric(s string) (kind Kind, text string, ok bool) {
	switch {
	case sexagesimal.MatchString(s):
		return Int, base60(s).String(), true
	case sexagesimalF.MatchString(s):
		return Float, formatFloat(base60Float(s)), true
	case floatRE.MatchString(s):
		f, err := strconv.ParseFloat(noSeparators.Replace(s), 64)
		// Out of range is infinity, as in Ruby.
		if err != nil && !math.IsInf(f, 0) {
			return String, s, false
		}
		return Float, formatFloat(f), true
	case intRE.MatchString(s):
		if i, ok := integer(s); ok {
			return Int, i.String(), true
		}
	}
	return String, s, false
}

// word reads the scalars that are words: booleans, null, infinity.
func word(s string) (Kind, string, bool) {
	if len(s) > 5 {
		return Null, "", false
	}
	switch strings.ToLower(s) {
	case "null":
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
	case "~":
		return Null, "", true
	}
	return Null, "", false
}

// symbol returns the name of a Ruby symbol, :name or :"name".
func symbol(s string) string {
	s = s[1:]
	if s[0] == '"' || s[0] == '\'' {
		if end := strings.LastIndexByte(s, s[0]); end > 0 {
			return strings.TrimPrefix(s[1:end], ":")
		}
	}
	return s
}

// integer reads what intRE matches. It is not ok without any digit.
func integer(s string) (*big.Int, bool) {
	s = noSeparators.Replace(s)
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

// base60 reads hours:minutes[:seconds]; Psych takes the first part for hours
// even if there are only two.
func base60(s string) *big.Int {
	sum := new(big.Int)
	unit := int64(3600)
	for part := range strings.SplitSeq(strings.ReplaceAll(s, "_", ""), ":") {
		n, _ := new(big.Int).SetString(part, 10)
		sum.Add(sum, n.Mul(n, big.NewInt(unit)))
		unit /= 60
	}
	return sum
}

func base60Float(s string) float64 {
	var sum float64
	unit := 3600.0
	for part := range strings.SplitSeq(strings.ReplaceAll(s, "_", ""), ":") {
		f, _ := strconv.ParseFloat(part, 64)
		sum += f * unit
		unit /= 60
	}
	return sum
}

// toFloat is Ruby's Float() of a scalar.
func toFloat(n *Node) (float64, error) {
	switch {
	case n.Text == "Infinity" && n.Kind == Float:
		return math.Inf(1), nil
	case n.Text == "-Infinity" && n.Kind == Float:
		return math.Inf(-1), nil
	case n.Text == "NaN" && n.Kind == Float:
		return math.NaN(), nil
	case n.Kind == Null:
		return 0, fmt.Errorf("can't convert nil into Float")
	case n.Kind == Bool:
		return 0, fmt.Errorf("can't convert %s into Float", n.Text)
	}
	f, err := strconv.ParseFloat(n.Text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, fmt.Errorf("invalid value for Float(): %s", inspect(n))
	}
	return f, nil
}

// formatFloat writes f as Ruby's Float#to_s does: "1.0", "1.1", "1.0e+20",
// "Infinity".
func formatFloat(f float64) string {
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
