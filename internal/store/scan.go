package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A scanner is a row to read: *sql.Rows in all cases here.
type scanner interface{ Scan(dest ...any) error }

// first scans the first row and closes rows; none is sql.ErrNoRows.
func first(rows *sql.Rows, scan func(scanner) error) error {
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), emptyUnless(rows.Err()))
	}
	if err := scan(rows); err != nil {
		return err
	}
	return rows.Close()
}

// emptyUnless is sql.ErrNoRows when reading ended without an error.
func emptyUnless(err error) error {
	if err == nil {
		return sql.ErrNoRows
	}
	return nil
}

// each scans all rows and closes them.
func each(rows *sql.Rows, scan func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads a single row; noun words the error.
func one[T any](ctx context.Context, v *View, noun string, scan func(scanner, *T) error, query string, args ...any) (T, error) {
	var value T
	rows, err := v.query(ctx, query, args...)
	if err == nil {
		err = first(rows, func(s scanner) error { return scan(s, &value) })
	}
	if err != nil {
		var none T
		return none, wrap("read "+noun, notFound(err))
	}
	return value, nil
}

// list reads all rows of a query; noun words the error. It returns an empty
// slice, not nil, when there are none.
func list[T any](ctx context.Context, v *View, noun string, scan func(scanner, *T) error, query string, args ...any) ([]T, error) {
	values := []T{}
	rows, err := v.query(ctx, query, args...)
	if err == nil {
		err = each(rows, func(s scanner) error {
			var value T
			if err := scan(s, &value); err != nil {
				return err
			}
			values = append(values, value)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", noun, err)
	}
	return values, nil
}

// wrap adds the words of the call, and nil stays nil.
func wrap(words string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", words, err)
}

// scanInto scans a single column of a plain type.
func scanInto[T any](s scanner, value *T) error { return s.Scan(value) }

// micros is how a time is stored: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the time that a stored number stands for.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// stored is t as it comes back from the database.
func stored(t time.Time) time.Time { return instant(micros(t)) }

// moment scans a stored time.
type moment time.Time

// Scan implements sql.Scanner.
func (m *moment) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("time is %T, not an integer", src)
	}
	*m = moment(instant(us))
	return nil
}

// at scans a stored time into t.
func at(t *time.Time) *moment { return (*moment)(t) }

// document scans a JSON text. An empty list leaves dest as it is.
type document struct{ dest any }

// Scan implements sql.Scanner.
func (d document) Scan(src any) error {
	var data []byte
	switch src := src.(type) {
	case string:
		data = []byte(src)
	case []byte:
		data = src
	default:
		return fmt.Errorf("document is %T, not text", src)
	}
	if string(data) == "[]" {
		return nil
	}
	return json.Unmarshal(data, d.dest)
}

// text gives the JSON form of a value that always has one.
func text(value any) string {
	data, err := json.Marshal(value)
	if err != nil { // plain structs and lists only
		panic(fmt.Sprintf("store: encode %T: %v", value, err))
	}
	return string(data)
}

// texts gives the JSON form of a list, "[]" for nil.
func texts(values []string) string {
	if len(values) == 0 {
		return "[]"
	}
	return text(values)
}

// An intList is an argument for {ints $n}.
type intList []int64

// integers gives the argument for a list of ids.
func integers[T ~int64](values []T) intList {
	list := make(intList, len(values))
	for i, value := range values {
		list[i] = int64(value)
	}
	return list
}

// A textList is an argument for {texts $n}.
type textList []string

// words gives the argument for a list of texts.
func words[T ~string](values []T) textList {
	list := make(textList, len(values))
	for i, value := range values {
		list[i] = string(value)
	}
	return list
}

// folded is how names that differ in case only are compared: as lower does in both
// databases, which leaves all but A to Z alone.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// bytesOrNull binds nil as null.
func bytesOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
