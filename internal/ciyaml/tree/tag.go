package tree

import (
	"encoding/base64"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

const referenceTag = "!reference"

// classTag is a family of tags for which Psych loads a class. GitLab permits
// none of them. The class is the tag's own suffix, or else the given one; a
// tag without either needs no class.
type classTag struct {
	re    *regexp.Regexp
	class string
}

var scalarClasses = []classTag{
	{regexp.MustCompile(`^!(?:str|ruby/string)(?::(.*))?$`), ""},
	{regexp.MustCompile(`^!ruby/object:(BigDecimal|DateTime|Complex|Rational)$`), ""},
	{regexp.MustCompile(`^!ruby/encoding$`), "Encoding"},
	{regexp.MustCompile(`^!ruby/regexp$`), "Regexp"},
	{regexp.MustCompile(`^!ruby/range$`), "Range"},
}

var sequenceClasses = []classTag{
	{regexp.MustCompile(`^!(?:seq|ruby/array):(.*)$`), ""},
}

var mappingClasses = []classTag{
	{regexp.MustCompile(`^!ruby/struct:?(.*)$`), "Struct"},
	{regexp.MustCompile(`^!ruby/object:Hash$`), ""},
	{regexp.MustCompile(`^!ruby/object:?(.*)$`), "Object"},
	{regexp.MustCompile(`^!(?:str|ruby/string|ruby/hash-with-ivars)(?::(.*))?$`), ""},
	{regexp.MustCompile(`^!(?:ruby/array|map|ruby/hash|ruby/marshalable):(.*)$`), ""},
	{regexp.MustCompile(`^!ruby/range$`), "Range"},
	{regexp.MustCompile(`^!ruby/exception:?(.*)$`), "Exception"},
	{regexp.MustCompile(`^!!?set$`), "Psych::Set"},
	{regexp.MustCompile(`^!!?omap$`), "Psych::Omap"},
}

// checkTag refuses a node whose tag would make Psych load a class.
func (b *builder) checkTag(y *yaml.Node) error {
	if y.Style&yaml.TaggedStyle == 0 {
		return nil
	}
	families := scalarClasses
	switch y.Kind {
	case yaml.SequenceNode:
		families = sequenceClasses
	case yaml.MappingNode:
		families = mappingClasses
	}
	class := ""
	if y.Kind == yaml.ScalarNode && (y.Tag == "!ruby/class" || y.Tag == "!ruby/module") {
		class = y.Value
	}
	for _, f := range families {
		if m := f.re.FindStringSubmatch(y.Tag); m != nil {
			class = f.class
			if len(m) > 1 && m[1] != "" {
				class = m[1]
			}
			break
		}
	}
	if class == "" {
		return nil
	}
	return b.fail(y, unspecifiedClass+class)
}

const unspecifiedClass = "Tried to load unspecified class: "

// taggedScalar gives a scalar with an explicit tag the value that Psych gives
// it. Tags that mean nothing to Psych leave the value as if it were plain.
func (b *builder) taggedScalar(y *yaml.Node, n *Node) (*Node, error) {
	switch y.Tag {
	case referenceTag:
		return &Node{Kind: Reference, Pos: n.Pos, Text: inspect(n)}, nil
	case "!!str", "!str", "!ruby/string":
		return n, nil
	case "!!binary", "!binary":
		n.Text = decodeBinary(y.Value)
		return n, nil
	}
	if strings.HasPrefix(y.Tag, "!ruby/sym") {
		return n, nil
	}
	if err := b.plain(y, n); err != nil {
		return nil, err
	}
	if y.Tag != "!!float" && y.Tag != "!float" {
		return n, nil
	}
	f, err := toFloat(n)
	if err != nil {
		return nil, b.fail(y, err.Error())
	}
	n.Kind, n.Text = Float, formatFloat(f)
	return n, nil
}

// decodeBinary is base64 as Ruby unpacks it: up to the padding, and passing
// over what does not belong there.
func decodeBinary(s string) string {
	s, _, _ = strings.Cut(s, "=")
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '+' || r == '/' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1]
	}
	out, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}
