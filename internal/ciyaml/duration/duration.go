// Package duration reads durations written for people, as in timeout,
// start_in and expire_in: "1h 30m", "3 weeks and 2 days", "1:30", "never". It
// answers what the Ruby library chronic_duration answers, which is
// indulgent: it adds up each number times the unit after it, takes a number
// without unit as seconds, and passes over words that it does not know.
package duration

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Seconds of the units. A month has 30 days, a year 365.25.
const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
	week   = 7 * day
	month  = 30 * day
	year   = 365*day + 6*hour
)

var units = map[string]float64{
	"seconds": 1, "second": 1, "secs": 1, "sec": 1, "s": 1,
	"minutes": minute, "minute": minute, "mins": minute, "min": minute, "m": minute,
	"hours": hour, "hour": hour, "hrs": hour, "hr": hour, "h": hour,
	"days": day, "day": day, "dy": day, "d": day,
	"weeks": week, "week": week, "wks": week, "wk": week, "w": week,
	"months": month, "mo": month, "mos": month, "month": month,
	"years": year, "year": year, "yrs": year, "yr": year, "y": year,
}

// clock are the units of 1:02:03:04:05:06, from the right.
var clock = []string{"seconds", "minutes", "hours", "days", "months", "years"}

var (
	number    = regexp.MustCompile(`[0-9]*\.?[0-9]+`)
	clockTime = regexp.MustCompile(`[0-9]*\.?[0-9]+(?::[0-9]*\.?[0-9]+)+`)
)

// Parse returns the number of seconds that text stands for, fractions cut off.
// never is true for "never", whatever its case, with seconds 0. It is an error
// if text holds no duration or one of zero.
func Parse(text string) (seconds int64, never bool, err error) {
	if strings.EqualFold(text, "never") {
		return 0, true, nil
	}
	s, ok := spread(numerize(strings.ToLower(text)))
	var total float64
	if ok {
		total = sum(words(s))
	}
	if total == 0 || math.Trunc(total) >= math.MaxInt64 {
		return 0, false, fmt.Errorf("%q is not a duration", text)
	}
	return int64(total), false, nil
}

// spread turns clock times into numbers with units. It is not ok if there are
// more parts than units.
func spread(s string) (string, bool) {
	packed := strings.ReplaceAll(s, " ", "")
	if !clockTime.MatchString(packed) {
		return s, true
	}
	parts := strings.Split(packed, ":")
	if len(parts) > len(clock) {
		return "", false
	}
	for i := range parts {
		parts[i] += " " + clock[len(parts)-1-i]
	}
	return strings.Join(parts, " "), true
}

// words cuts s into numbers and unit names, leaving out all other words.
func words(s string) []string {
	var out []string
	for _, word := range strings.Fields(number.ReplaceAllString(s, " $0 ")) {
		if number.MatchString(word) {
			out = append(out, word)
			continue
		}
		word = strings.TrimSuffix(strings.TrimPrefix(word, ","), ",")
		if _, ok := units[word]; ok {
			out = append(out, word)
		}
	}
	// "day" alone is one day.
	if len(out) > 0 && units[out[0]] != 0 {
		out = append([]string{"1"}, out...)
	}
	return out
}

// sum adds up each number times the unit after it.
func sum(words []string) float64 {
	var total float64
	for i, word := range words {
		n, err := strconv.ParseFloat(word, 64)
		if err != nil {
			continue
		}
		if i+1 == len(words) {
			total += n
		} else {
			total += n * units[words[i+1]]
		}
	}
	return total
}
