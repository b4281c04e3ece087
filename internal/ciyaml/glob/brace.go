package glob

// expander collects the texts that a pattern with braces stands for.
type expander struct {
	alternatives []string
	copied       int
}

// expand replaces the first braces of pattern by each of their alternatives,
// and so on. It is false if that goes beyond a bound.
func (e *expander) expand(pattern string) bool {
	if e.copied += len(pattern); e.copied > maxCopied {
		return false
	}
	left, right := firstBraces(pattern)
	if left < 0 {
		if len(e.alternatives) == maxAlternatives {
			return false
		}
		e.alternatives = append(e.alternatives, pattern)
		return true
	}
	if right < 0 {
		return true
	}
	for at := left; at < right; {
		end := alternativeEnd(pattern, at+1, right)
		if !e.expand(pattern[:left] + pattern[at+1:end] + pattern[right+1:]) {
			return false
		}
		at = end
	}
	return true
}

// firstBraces returns the offsets of the first "{" and of its "}", -1 where
// there is none.
func firstBraces(pattern string) (left, right int) {
	left = -1
	nest := 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '{':
			if nest == 0 {
				left = i
			}
			nest++
		case '}':
			if left < 0 {
				continue
			}
			if nest--; nest == 0 {
				return left, i
			}
		case '\\':
			i++
		}
	}
	return left, -1
}

// alternativeEnd returns the offset of the comma that ends the alternative
// starting at from, or right.
func alternativeEnd(pattern string, from, right int) int {
	nest := 0
	for i := from; i < right; i++ {
		switch pattern[i] {
		case '{':
			nest++
		case '}':
			nest--
		case ',':
			if nest == 0 {
				return i
			}
		case '\\':
			i++
		}
	}
	return right
}
