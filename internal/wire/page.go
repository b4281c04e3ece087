package wire

import (
	"net/http"
	"strconv"
	"strings"
)

// The bounds of offset pagination (contract/trigger-api.md 0.5).
const (
	DefaultPerPage = 20
	MaxPerPage     = 100
	maxCounted     = 10_000 // beyond it totals are not told
)

// A Page is the part of a list that a client asks for.
type Page struct {
	Number  int // from 1
	PerPage int // 1 to 100
}

// Offset is how many rows come before the page.
func (p Page) Offset() int { return (p.Number - 1) * p.PerPage }

// Found is what a list turned out to hold.
type Found struct {
	Total int64 // rows on all pages; negative when they were not counted
	More  bool  // whether there is a next page; looked at only when Total is negative
}

// Page reads page and per_page.
func (p *Params) Page() Page {
	page := Page{Number: 1, PerPage: DefaultPerPage}
	const most = 1 << 40 // keeps Offset an int; no list is as long
	if n := p.Int("page", 1); n < 1 {
		p.Fail("page", notInList)
	} else {
		page.Number = int(min(n, most))
	}
	switch n := p.Int("per_page", DefaultPerPage); {
	case n == 0:
		p.Fail("per_page", notAllowed)
	case n < 0:
		p.Fail("per_page", notInList)
	default:
		page.PerPage = int(min(n, MaxPerPage))
	}
	return page
}

// WritePage sets the pagination headers of a list. The links lead to the external
// URL and repeat all parameters of the request, path included and sorted as
// GitLab sorts them, but never a credential.
func (u URLs) WritePage(w http.ResponseWriter, r *http.Request, p *Params, page Page, found Found) {
	pages := 0 // unknown
	prev, next := 0, 0
	if found.Total >= 0 {
		pages = int((found.Total + int64(page.PerPage) - 1) / int64(page.PerPage))
		if page.Number <= pages {
			prev = page.Number - 1
		}
		if page.Number < pages {
			next = page.Number + 1
		}
	} else {
		prev = page.Number - 1
		if found.More {
			next = page.Number + 1
		}
	}
	h := w.Header()
	h.Set("X-Page", strconv.Itoa(page.Number))
	h.Set("X-Per-Page", strconv.Itoa(page.PerPage))
	h.Set("X-Prev-Page", number(prev))
	h.Set("X-Next-Page", number(next))
	last := 0
	if found.Total >= 0 && found.Total <= maxCounted {
		last = max(pages, 1)
		h.Set("X-Total", strconv.FormatInt(found.Total, 10))
		h.Set("X-Total-Pages", strconv.Itoa(last))
	}
	var links []string
	for _, link := range []struct {
		rel  string
		page int
	}{{"prev", prev}, {"next", next}, {"first", 1}, {"last", last}} {
		if link.page > 0 {
			links = append(links, "<"+u.pageURL(r, p, link.page, page.PerPage)+`>; rel="`+link.rel+`"`)
		}
	}
	h.Set("Link", strings.Join(links, ", "))
}

// pageURL is the address of another page of the list that r asked for.
func (u URLs) pageURL(r *http.Request, p *Params, number, perPage int) string {
	all := NewMap()
	for key, value := range p.root.All() {
		all.put(key, value, 0)
	}
	all.put("page", NewString(strconv.Itoa(number)), 0)
	all.put("per_page", NewString(strconv.Itoa(perPage)), 0)
	return u.Abs(r.URL.EscapedPath()) + "?" + queryOf(all, p.hidden)
}

// number shows a page number, nothing for none.
func number(page int) string {
	if page <= 0 {
		return ""
	}
	return strconv.Itoa(page)
}
