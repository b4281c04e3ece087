package web

import (
	"net/url"
	"strconv"
)

// maxTotal is where the store stops counting.
const maxTotal = 10_000

// A pager leads to the other pages of a list. Both links are empty when all of it
// is there.
type pager struct {
	Text       string // "26 to 50 of 73"
	Prev, Next string
}

// pageNumber reads the number of a page, from 1; what is none means the first.
func pageNumber(query url.Values) int {
	n, err := strconv.Atoi(query.Get("page"))
	if err != nil {
		return 1
	}
	return min(max(n, 1), 1_000_000)
}

// newPager leads around a list at a path with a query, of which a page shows some
// rows of all there are.
func newPager(path string, query url.Values, page, shown, total int) pager {
	link := func(page int) string {
		q := url.Values{}
		for name, values := range query {
			if len(values) > 0 && values[0] != "" {
				q.Set(name, values[0])
			}
		}
		if page > 1 {
			q.Set("page", strconv.Itoa(page))
		}
		if len(q) == 0 {
			return path
		}
		return path + "?" + q.Encode()
	}
	first := (page-1)*perPage + 1
	last := first + shown - 1
	var p pager
	if page > 1 {
		p.Prev = link(page - 1)
	}
	if last < total && shown > 0 {
		p.Next = link(page + 1)
	}
	switch {
	case shown == 0:
	case total > maxTotal:
		p.Text = strconv.Itoa(first) + " to " + strconv.Itoa(last) + " of more than " + strconv.Itoa(maxTotal)
	default:
		p.Text = strconv.Itoa(first) + " to " + strconv.Itoa(last) + " of " + strconv.Itoa(total)
	}
	return p
}
