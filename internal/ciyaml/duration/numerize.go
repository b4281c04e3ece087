package duration

import (
	"strconv"
	"strings"
)

var numberWords = map[string]int64{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
	"seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
	"thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
	"seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
	"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
	"eighty": 80, "ninety": 90,
}

var scaleWords = map[string]int64{
	"hundred": 100, "thousand": 1000, "million": 1_000_000,
	"billion": 1_000_000_000, "trillion": 1_000_000_000_000,
}

// fractions are what may follow "and a".
var fractions = map[string]float64{"half": 1. / 2, "third": 1. / 3, "quarter": 1. / 4, "fifth": 1. / 5}

// maxNumber is the largest number in words.
const maxNumber = 1_000_000_000_000_000

// numerize replaces the numbers in words of s, which is in lower case, by
// digits: "twenty-five minutes", "one hundred and five days", "two and a half
// hours". Also "1 1/2" becomes 1.5. All else stays.
func numerize(s string) string {
	words := strings.Fields(separateHyphens(s))
	out := make([]string, 0, len(words))
	for i := 0; i < len(words); {
		value, n := readNumber(words[i:])
		if n == 0 {
			out = append(out, words[i])
			i++
			continue
		}
		// A comma after the number stays.
		last := words[i+n-1]
		out = append(out, strconv.FormatFloat(value, 'f', -1, 64)+last[len(strings.TrimRight(last, ",")):])
		i += n
	}
	return strings.Join(out, " ")
}

// separateHyphens replaces the hyphens inside words by blanks: those after a
// character that is neither digit nor blank and before one that is no digit.
func separateHyphens(s string) string {
	b := []byte(s)
	for i := 1; i+1 < len(b); i++ {
		if b[i] == '-' && b[i-1] != ' ' && !isDigit(b[i-1]) && !isDigit(b[i+1]) {
			b[i] = ' '
		}
	}
	return string(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// readNumber reads the number in words at the start of words and returns its
// value and how many words it takes, 0 if there is none.
func readNumber(words []string) (value float64, n int) {
	whole, n := readWhole(words)
	if n == 0 {
		var err error
		if whole, err = strconv.ParseInt(words[0], 10, 64); err != nil || whole > maxNumber {
			return 0, 0
		}
		// Digits count only together with a fraction.
		if f, m := readFraction(words[1:]); m > 0 {
			return float64(whole) + f, 1 + m
		}
		return 0, 0
	}
	if f, m := readFraction(words[n:]); m > 0 && !strings.HasSuffix(words[n-1], ",") {
		return float64(whole) + f, n + m
	}
	return float64(whole), n
}

// readWhole reads a whole number in words. Digits may stand before a scale.
func readWhole(words []string) (value int64, n int) {
	var total, current int64
	for i := 0; i < len(words); i++ {
		word := strings.TrimRight(words[i], ",")
		v, small := wordValue(word)
		scale, big := scaleWords[word]
		switch {
		case big && scale == 100:
			current = max(current, 1) * 100
		case big:
			total += max(current, 1) * scale
			current = 0
		case small && (i == 0 || fits(total, current, v, words[i-1] == "and")):
			current += v
		case i == 0 && len(words) > 1 && scaleWords[strings.TrimRight(words[1], ",")] > 0:
			d, err := strconv.ParseInt(word, 10, 32)
			if err != nil {
				return 0, 0
			}
			current = d
		case word == "and" && i > 0 && i+1 < len(words) && n == i:
			if _, next := wordValue(strings.TrimRight(words[i+1], ",")); !next {
				return value, n
			}
			continue
		default:
			return value, n
		}
		if total+current > maxNumber {
			return 0, 0
		}
		value, n = total+current, i+1
		if word != words[i] {
			return value, n
		}
	}
	return value, n
}

// wordValue reads one word below a hundred, also "twentyfive".
func wordValue(word string) (int64, bool) {
	if v, ok := numberWords[word]; ok {
		return v, true
	}
	if i := strings.Index(word, "ty"); i > 0 {
		tens, one := numberWords[word[:i+2]], numberWords[word[i+2:]]
		return tens + one, tens >= 20 && 1 <= one && one <= 9
	}
	return 0, false
}

// fits reports whether v can follow what was read: "twenty" "five", "hundred"
// "five"; after "and" any number can.
func fits(total, current, v int64, and bool) bool {
	switch {
	case and:
		return true
	case current == 0:
		return total > 0
	}
	return len(strconv.FormatInt(current, 10)) > len(strconv.FormatInt(v, 10)) && current%10 == 0
}

// readFraction reads "and a half" or "1/2".
func readFraction(words []string) (value float64, n int) {
	if len(words) >= 3 && words[0] == "and" && words[1] == "a" {
		if f, ok := fractions[words[2]]; ok {
			return f, 3
		}
	}
	if len(words) >= 1 {
		a, b, ok := strings.Cut(words[0], "/")
		x, errX := strconv.ParseUint(a, 10, 31)
		y, errY := strconv.ParseUint(b, 10, 31)
		if ok && errX == nil && errY == nil && y > 0 {
			return float64(x) / float64(y), 1
		}
	}
	return 0, 0
}
