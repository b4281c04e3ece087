package ciyaml

import (
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// inline writes n on one line as JSON, at most some 200 bytes of it, as
// GitLab's messages quote values.
func inline(n *tree.Node) string {
	var b strings.Builder
	writeInline(&b, n)
	return b.String()
}

func writeInline(b *strings.Builder, n *tree.Node) {
	if b.Len() > 200 {
		return
	}
	list := func(open, shut string, count int, write func(i int)) {
		b.WriteString(open)
		for i := range count {
			if i > 0 {
				b.WriteByte(',')
			}
			if b.Len() > 200 {
				b.WriteString("...")
				break
			}
			write(i)
		}
		b.WriteString(shut)
	}
	switch {
	case n.IsNull():
		b.WriteString("null")
	case n.Kind == tree.Map:
		list("{", "}", len(n.Pairs), func(i int) {
			fmt.Fprintf(b, "%q:", n.Pairs[i].Key)
			writeInline(b, n.Pairs[i].Value)
		})
	case n.Kind == tree.Reference:
		b.WriteString("!reference ")
		fallthrough
	case n.Kind == tree.Seq:
		list("[", "]", len(n.Items), func(i int) { writeInline(b, n.Items[i]) })
	case n.Kind == tree.String:
		fmt.Fprintf(b, "%q", n.Text)
	default:
		b.WriteString(n.Text)
	}
}
