package inputs

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A Shield hides the blocks of a text from the YAML parser, for which [ begins
// a list and | and # mean something, too: each block becomes a word as many
// characters long, so that places stay right.
type Shield struct{ blocks []string }

// The ends of a word that stands for a block, from the private use area.
const (
	opens = '\ue000'
	shuts = '\ue001'
)

// maxBlocks is how many blocks of a file are hidden, so that their numbers fit
// into the space of the shortest one.
const maxBlocks = 50_000

// NewShield hides the blocks of a file and returns the text to parse. A file
// that has the characters it would need, or too many blocks, stays as it is.
func NewShield(src []byte) ([]byte, *Shield) {
	s := &Shield{}
	if !bytes.Contains(src, []byte("$[[")) || bytes.ContainsRune(src, opens) {
		return src, s
	}
	found := blockRE.FindAllIndex(src, maxBlocks+1)
	if len(found) > maxBlocks {
		return src, s
	}
	var out bytes.Buffer
	at := 0
	for _, m := range found {
		block := src[m[0]:m[1]]
		if bytes.ContainsAny(block, "\n\r") { // \s also matches line breaks
			continue
		}
		out.Write(src[at:m[0]])
		number := strconv.Itoa(len(s.blocks))
		out.WriteRune(opens)
		out.WriteString(number)
		out.WriteString(strings.Repeat("x", max(0, utf8.RuneCount(block)-2-len(number))))
		out.WriteRune(shuts)
		s.blocks = append(s.blocks, string(block))
		at = m[1]
	}
	out.Write(src[at:])
	return out.Bytes(), s
}

// Lift puts the blocks back into a document parsed from the hidden text.
func (s *Shield) Lift(n *tree.Node) *tree.Node {
	if len(s.blocks) == 0 {
		return n
	}
	return s.node(n, map[*tree.Node]*tree.Node{})
}

func (s *Shield) node(n *tree.Node, done map[*tree.Node]*tree.Node) *tree.Node {
	if n.IsNull() {
		return n
	}
	if out, ok := done[n]; ok {
		return out
	}
	out := *n
	out.Text = s.Text(n.Text)
	if len(n.Items) > 0 {
		out.Items = make([]*tree.Node, len(n.Items))
		for i, item := range n.Items {
			out.Items[i] = s.node(item, done)
		}
	}
	if len(n.Pairs) > 0 {
		out.Pairs = make([]tree.Pair, len(n.Pairs))
		for i, p := range n.Pairs {
			out.Pairs[i] = tree.Pair{Key: s.Text(p.Key), KeyPos: p.KeyPos, Value: s.node(p.Value, done)}
		}
	}
	done[n] = &out
	return &out
}

// Text puts the blocks back into a text, such as a parser's message.
func (s *Shield) Text(text string) string {
	if len(s.blocks) == 0 || !strings.ContainsRune(text, opens) {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, string(opens))
		b.WriteString(before)
		if !found {
			return b.String()
		}
		word, after, _ := strings.Cut(rest, string(shuts))
		if i, err := strconv.Atoi(strings.TrimRight(word, "x")); err == nil && i < len(s.blocks) {
			b.WriteString(s.blocks[i])
		}
		text = after
	}
}
