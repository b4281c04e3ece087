package web

import (
	"fmt"
	"strconv"
	"time"
)

// A timeView is a moment. The page says it in UTC; a script turns it into how long
// ago that was. So a fragment in which nothing else moved stays the same, byte for
// byte.
type timeView struct {
	Machine string // for the attribute datetime
	Text    string
}

// at shows a moment; the zero time is shown as nothing.
func at(t time.Time) timeView {
	if t.IsZero() {
		return timeView{}
	}
	t = t.UTC()
	return timeView{t.Format("2006-01-02T15:04:05.000Z"), t.Format("2 Jan 2006, 15:04 UTC")}
}

// Shown reports whether there is a moment to show.
func (t timeView) Shown() bool { return t.Machine != "" }

// lasted is a length of time in words, as exact as somebody can take in: "0.4 s",
// "12 s", "2 min 10 s", "1 h 3 min".
func lasted(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < 100*time.Millisecond:
		return "under 0.1 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// wholeSeconds is lasted for a time that is known to the second only.
func wholeSeconds(n int64) string {
	switch n = min(max(n, 0), 1e7); {
	case n == 0:
		return "under 1 s"
	case n < 10:
		return fmt.Sprintf("%d s", n)
	}
	return lasted(time.Duration(n) * time.Second)
}

// between is how long something took, "" while it has not ended or never began.
func between(start, end time.Time) string {
	if start.IsZero() || end.IsZero() {
		return ""
	}
	return lasted(end.Sub(start))
}

// number is a number in digits.
func number(n int) string { return strconv.Itoa(n) }
