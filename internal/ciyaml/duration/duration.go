// Package duration reads durations written for people, as in timeout,
// start_in and expire_in: "1h 30m", "3 weeks and 2 days", "1:30", "twenty
// minutes", "never".
//
// It answers what the Ruby library chronic_duration answers, which is
// indulgent: it adds up each number times the unit after it, takes a number
// without a unit as seconds, a unit without a number as one, and passes over
// words that it does not know, so that "1h30" is one hour and 30 seconds and
// "1 hr." is one second. Strange words are told by Unknown; GitLab refuses
// them.
package duration

import (
	"fmt"
	"math"
	"math/bits"
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

var units = map[string]uint64{
	"seconds": 1, "second": 1, "secs": 1, "sec": 1, "s": 1,
	"minutes": minute, "minute": minute, "mins": minute, "min": minute, "m": minute,
	"hours": hour, "hour": hour, "hrs": hour, "hr": hour, "h": hour,
	"days": day, "day": day, "dy": day, "d": day,
	"weeks": week, "week": week, "wks": week, "wk": week, "w": week,
	"months": month, "month": month, "mos": month, "mo": month,
	"years": year, "year": year, "yrs": year, "yr": year, "y": year,
}

// joins are the words that may stand between the parts.
var joins = map[string]bool{"and": true, "with": true, "plus": true}

// clock are the units of 6:5:4:3:2:1, from the right.
var clock = []string{"seconds", "minutes", "hours", "days", "months", "years"}

var (
	number    = regexp.MustCompile(`[0-9]*\.?[0-9]+`)
	clockTime = regexp.MustCompile(`[0-9]*\.?[0-9]+:[0-9]*\.?[0-9]+`)
)

// maxText is the length beyond which nothing is a duration.
const maxText = 1000

// Parse returns the number of seconds that text stands for, fractions cut off.
// never is true for "never" in any case of letters, with seconds 0. It is an
// error if text holds no duration, one of zero, or more seconds than fit.
func Parse(text string) (seconds int64, never bool, err error) {
	if strings.EqualFold(text, "never") {
		return 0, true, nil
	}
	words, _ := split(text)
	seconds, ok := sum(words)
	if !ok {
		return 0, false, fmt.Errorf("%.100q is not a duration", text)
	}
	return seconds, false, nil
}

// Unknown returns the words of text that Parse passes over, as they stand in
// it but in lower case. GitLab takes a text with such words for no duration.
func Unknown(text string) []string {
	if strings.EqualFold(text, "never") {
		return nil
	}
	_, unknown := split(text)
	return unknown
}

// split cuts text into numbers and units; all other words are unknown.
func split(text string) (words, unknown []string) {
	if len(text) > maxText {
		return nil, []string{text}
	}
	s, ok := spreadClock(numerize(strings.ToLower(text)))
	if !ok {
		return nil, []string{text}
	}
	for _, word := range strings.Fields(number.ReplaceAllString(s, " $0 ")) {
		bare := strings.TrimSuffix(strings.TrimPrefix(word, ","), ",")
		switch {
		case units[bare] != 0:
			words = append(words, bare)
		case number.MatchString(word):
			words = append(words, word)
		case !joins[bare]:
			unknown = append(unknown, word)
		}
	}
	return words, unknown
}

// spreadClock writes 1:30 as 1 minutes 30 seconds. It is not ok if there are
// more parts than units.
func spreadClock(s string) (string, bool) {
	packed := strings.ReplaceAll(s, " ", "")
	if !clockTime.MatchString(packed) {
		return s, true
	}
	parts := strings.Split(strings.TrimRight(packed, ":"), ":")
	if len(parts) > len(clock) {
		return "", false
	}
	for i := range parts {
		parts[i] += " " + clock[len(parts)-1-i]
	}
	return strings.Join(parts, " "), true
}

// sum adds up each number times the unit after it. It is not ok if the sum is
// zero or too large.
func sum(words []string) (int64, bool) {
	// "day" alone is one day.
	if len(words) > 0 && units[words[0]] != 0 {
		words = append([]string{"1"}, words...)
	}
	var whole uint64
	var fractions float64
	for i, word := range words {
		if units[word] != 0 {
			continue
		}
		unit := uint64(1)
		if i+1 < len(words) {
			unit = units[words[i+1]] // 0 if another number follows
		}
		if n, err := strconv.ParseUint(word, 10, 64); err == nil {
			high, low := bits.Mul64(n, unit)
			if whole += low; high != 0 || low > math.MaxInt64 || whole > math.MaxInt64 {
				return 0, false
			}
			continue
		}
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return 0, false
		}
		fractions += f * float64(unit)
	}
	if fractions >= math.MaxInt64/2 || whole+uint64(fractions) > math.MaxInt64 {
		return 0, false
	}
	return int64(whole + uint64(fractions)), whole > 0 || fractions > 0
}
