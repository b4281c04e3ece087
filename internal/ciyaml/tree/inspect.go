package tree

import (
	"fmt"
	"strings"
	"unicode"
)

// maxInspect is the length in bytes from which inspect leaves out the rest.
const maxInspect = 4096

// inspect writes n as Ruby's inspect does, which is how GitLab quotes values
// in its messages. What is too long to be read ends in an ellipsis.
func inspect(n *Node) string {
	var b strings.Builder
	inspectTo(&b, n)
	if b.Len() > maxInspect {
		return strings.ToValidUTF8(b.String()[:maxInspect], "") + "…"
	}
	return b.String()
}

func inspectTo(b *strings.Builder, n *Node) {
	switch {
	case n.IsNull():
		b.WriteString("nil")
	case n.Kind == String:
		quote(b, n.Text)
	case n.Kind == Seq, n.Kind == Reference && n.Text == "":
		b.WriteByte('[')
		for i, item := range n.Items {
			if b.Len() > maxInspect {
				return
			}
			if i > 0 {
				b.WriteString(", ")
			}
			inspectTo(b, item)
		}
		b.WriteByte(']')
	case n.Kind == Map:
		b.WriteByte('{')
		for i, p := range n.Pairs {
			if b.Len() > maxInspect {
				return
			}
			if i > 0 {
				b.WriteString(", ")
			}
			quote(b, p.Key)
			b.WriteString("=>")
			inspectTo(b, p.Value)
		}
		b.WriteByte('}')
	default:
		b.WriteString(n.Text)
	}
}

// quote writes s as a Ruby string literal.
func quote(b *strings.Builder, s string) {
	const escapes = "\a\b\t\n\v\f\r\x1b\"\\"
	const letters = `abtnvfre"\`
	b.WriteByte('"')
	for i, r := range s {
		if b.Len() > maxInspect {
			return
		}
		switch {
		case r == '#' && i+1 < len(s) && strings.IndexByte("{$@", s[i+1]) >= 0:
			b.WriteString(`\#`)
		case strings.ContainsRune(escapes, r):
			b.WriteByte('\\')
			b.WriteByte(letters[strings.IndexRune(escapes, r)])
		case r < 0x80 && !unicode.IsGraphic(r):
			fmt.Fprintf(b, `\x%02X`, r)
		case !unicode.IsGraphic(r) && r <= 0xFFFF:
			fmt.Fprintf(b, `\u%04X`, r)
		case !unicode.IsGraphic(r):
			fmt.Fprintf(b, `\u{%X}`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
