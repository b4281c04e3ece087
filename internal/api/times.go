package api

import "time"

// A stamp is a time as the API shows it: UTC, three digits of a second, and null
// for the zero time.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// An ownStamp is the time of a commit, which keeps the zone of whoever made it.
type ownStamp time.Time

// MarshalJSON implements json.Marshaler.
func (s ownStamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.AppendFormat(nil, `"2006-01-02T15:04:05.000-07:00"`), nil
}

// seconds is the time between two moments, null while one of them is not known. An
// open end is now.
func seconds(from, to, now time.Time) *float64 {
	if from.IsZero() {
		return nil
	}
	if to.IsZero() {
		to = now
	}
	s := to.Sub(from).Seconds()
	return &s
}

// orNull shows an empty text as null.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
