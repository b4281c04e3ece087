package trace

import "bytes"

// masked stands for each byte of a secret.
const masked = 'x'

// A mask hides secrets in a stream. The same bytes are hidden however the stream is
// cut: those that lie in any occurrence of any secret, overlapping ones included.
type mask []secret

// A secret is a text to hide. border[i] is the length of the longest proper prefix
// of text that text[:i+1] ends with.
type secret struct {
	text   []byte
	border []int
}

// newMask prepares secrets; empty ones are left out.
func newMask(secrets []string) mask {
	m := make(mask, 0, len(secrets))
	for _, text := range secrets {
		if text == "" {
			continue
		}
		s := secret{text: []byte(text), border: make([]int, len(text))}
		for i, n := 1, 0; i < len(text); i++ {
			n = s.extend(n, text[i])
			s.border[i] = n
		}
		m = append(m, s)
	}
	return m
}

// extend gives the length of the longest proper prefix of the secret that a text
// ends with after one more byte, when it was n before.
func (s secret) extend(n int, b byte) int {
	for n > 0 && s.text[n] != b {
		n = s.border[n-1]
	}
	if s.text[n] == b {
		n++
	}
	return n
}

// held is the end of a stream that may be the beginning of a secret.
type held struct {
	text   []byte // as it was sent
	hidden []byte // as it is to be shown if the stream ends here
	ahead  int    // so many bytes from here on are in a secret that began before
}

// push adds data to the stream that ends with h. It returns what is certain now,
// as sent and as to be shown, and what is held back; neither shares memory with
// data or h. Of h, ahead is enough to go on when the rest of it is sent again.
func (m mask) push(h held, data []byte) (text, hidden []byte, rest held) {
	text = append(append(make([]byte, 0, len(h.text)+len(data)), h.text...), data...)
	hidden = bytes.Clone(text)
	certain := len(text)
	for _, s := range m {
		certain = min(certain, len(text)-s.open(text))
	}
	cover(hidden, 0, min(h.ahead, len(hidden)))
	rest.ahead = h.ahead - certain
	for _, s := range m {
		rest.ahead = max(rest.ahead, s.hide(text, hidden, certain)-certain)
	}
	rest.ahead = max(rest.ahead, 0)
	rest.text, rest.hidden = bytes.Clone(text[certain:]), bytes.Clone(hidden[certain:])
	return text[:certain], hidden[:certain], rest
}

// hide masks in hidden each occurrence that text has, and returns where the last
// one ends that begins before border. An occurrence that overlaps the one before at
// the secret's shortest period is found by comparing the few new bytes only, so
// that a text of one repeated letter costs no more than another.
func (s secret) hide(text, hidden []byte, border int) (reach int) {
	n := len(s.text)
	period := n - s.border[n-1]
	for from := 0; ; {
		i := bytes.Index(text[from:], s.text)
		if i < 0 {
			return reach
		}
		start := from + i
		for end := start + n; ; start, end = start+period, end+period {
			if start < border {
				reach = end
			}
			if end+period > len(text) || !bytes.Equal(text[end:end+period], s.text[n-period:]) {
				break
			}
		}
		cover(hidden, from+i, start+n)
		from = start + 1
	}
}

// cover masks the bytes from start to end.
func cover(hidden []byte, start, end int) {
	for i := start; i < end; i++ {
		hidden[i] = masked
	}
}

// open gives how many bytes at the end of text may be the beginning of the secret.
func (s secret) open(text []byte) int {
	n, last := 0, len(s.text)-1
	for _, b := range text[max(0, len(text)-last):] {
		n = s.extend(n, b)
	}
	return n
}
