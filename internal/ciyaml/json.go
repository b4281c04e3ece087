package ciyaml

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// jsonText writes a value as JSON, maps in the order of the file, for those who
// take a keyword's value as it is.
func jsonText(n *tree.Node) string { return string(appendJSON(nil, n)) }

func appendJSON(b []byte, n *tree.Node) []byte {
	switch {
	case n.IsNull():
		return append(b, "null"...)
	case n.Kind == tree.Seq:
		b = append(b, '[')
		for i, item := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	case n.Kind == tree.Map:
		b = append(b, '{')
		for i, pair := range n.Pairs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, pair.Key), ':')
			b = appendJSON(b, pair.Value)
		}
		return append(b, '}')
	case n.Kind == tree.Bool, n.Kind == tree.Int:
		return append(b, n.Text...)
	case n.Kind == tree.Float:
		if f, err := strconv.ParseFloat(n.Text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return strconv.AppendFloat(b, f, 'g', -1, 64)
		}
	}
	return appendString(b, n.Text)
}

func appendString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		return append(b, `""`...)
	}
	return append(b, quoted...)
}

// textOf is the text of a node, "" of none.
func textOf(n *tree.Node) string {
	if n == nil {
		return ""
	}
	return n.Text
}
