package store

import (
	"context"
	"strconv"
	"strings"
)

// maxCount is where counting the rows of a list stops: beyond 10,000 no total is
// shown (contract/trigger-api.md 0.5).
const maxCount = 10_001

// A filter collects the conditions of a list. It is for lists with three or more
// optional filters only; every other query is one constant text.
type filter struct {
	where strings.Builder
	args  []any
}

// and adds a condition in which each $ stands for the next of args.
func (q *filter) and(condition string, args ...any) {
	if q.where.Len() > 0 {
		q.where.WriteString(" and ")
	}
	for _, arg := range args {
		before, after, _ := strings.Cut(condition, "$")
		q.where.WriteString(before)
		q.where.WriteString(q.arg(arg))
		condition = after
	}
	q.where.WriteString(condition)
}

// arg adds an argument and gives its placeholder.
func (q *filter) arg(arg any) string {
	q.args = append(q.args, arg)
	return "$" + strconv.Itoa(len(q.args))
}

// text gives the whole where clause.
func (q *filter) text() string {
	if q.where.Len() == 0 {
		return ""
	}
	return " where " + q.where.String()
}

// page reads one page of a list and counts all matches up to maxCount. A limit of
// zero or less means all rows.
func page[T any](ctx context.Context, v *View, noun string, scan func(scanner, *T) error, q *filter,
	columns, from, order string, limit, offset int) ([]T, int, error) {
	var total int
	err := v.row(ctx, []any{&total},
		`select count(*) from (select 1 from `+from+q.text()+` limit `+strconv.Itoa(maxCount)+`) as counted`, q.args...)
	if err != nil {
		return nil, 0, wrap("count "+noun, err)
	}
	values, err := rows(ctx, v, noun, scan, q, columns, from, order, limit, offset)
	return values, total, err
}

// rows is page without the count.
func rows[T any](ctx context.Context, v *View, noun string, scan func(scanner, *T) error, q *filter,
	columns, from, order string, limit, offset int) ([]T, error) {
	query := `select ` + columns + ` from ` + from + q.text() + ` order by ` + order
	if limit > 0 {
		query += ` limit ` + q.arg(limit) + ` offset ` + q.arg(max(offset, 0))
	}
	return list(ctx, v, noun, scan, query, q.args...)
}

// contains is a like pattern, folded, for texts with this part; it needs
// escape '\'.
func contains(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(folded(part)) + "%"
}
