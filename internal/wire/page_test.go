package wire

import (
	"math"
	"net/http/httptest"
	"testing"
)

func TestReadPage(t *testing.T) {
	tests := []struct {
		query   string
		want    Page
		problem string
	}{
		{"", Page{1, 20}, ""},
		{"page=3&per_page=50", Page{3, 50}, ""},
		{"per_page=100", Page{1, 100}, ""},
		{"per_page=101", Page{1, 100}, ""},
		{"per_page=99999999999999999999", Page{1, 100}, ""},
		{"page=&per_page=", Page{1, 20}, ""},
		{"per_page=0", Page{1, 20}, "per_page has a value not allowed"},
		{"per_page=-1", Page{1, 20}, "per_page does not have a valid value"},
		{"page=0", Page{1, 20}, "page does not have a valid value"},
		{"page=-3", Page{1, 20}, "page does not have a valid value"},
		{"page=abc", Page{1, 20}, "page is invalid"},
		{"page=0&per_page=0", Page{1, 20}, "page does not have a valid value, per_page has a value not allowed"},
	}
	for _, test := range tests {
		p := read(t, httptest.NewRequest("GET", "/?"+test.query, nil))
		if got := p.Page(); got != test.want || problem(p) != test.problem {
			t.Errorf("%s: got %v %q, want %v %q", test.query, got, problem(p), test.want, test.problem)
		}
	}
	if got := (Page{3, 20}).Offset(); got != 40 {
		t.Errorf("offset: got %d, want 40", got)
	}
	p := read(t, httptest.NewRequest("GET", "/?page=99999999999999999999&per_page=100", nil))
	if got := p.Page().Offset(); got <= 0 || got == math.MaxInt {
		t.Errorf("offset of a page far away: got %d", got)
	}
}

func TestWritePage(t *testing.T) {
	urls, err := ParseURLs("https://ci.example.org/ci")
	if err != nil {
		t.Fatal(err)
	}
	const at = "<https://ci.example.org/ci/api/v4/projects/1/triggers?id=1&"
	tests := []struct {
		name, query string
		found       Found
		want        map[string]string
	}{
		{"empty list", "", Found{Total: 0}, map[string]string{
			"X-Page": "1", "X-Per-Page": "20", "X-Prev-Page": "", "X-Next-Page": "", "X-Total": "0", "X-Total-Pages": "1",
			"Link": at + `page=1&per_page=20>; rel="first", ` + at + `page=1&per_page=20>; rel="last"`,
		}},
		{"second of two", "per_page=1&page=2", Found{Total: 2}, map[string]string{
			"X-Page": "2", "X-Per-Page": "1", "X-Prev-Page": "1", "X-Next-Page": "", "X-Total": "2", "X-Total-Pages": "2",
			"Link": at + `page=1&per_page=1>; rel="prev", ` + at + `page=1&per_page=1>; rel="first", ` + at + `page=2&per_page=1>; rel="last"`,
		}},
		{"middle", "per_page=10&page=2", Found{Total: 21}, map[string]string{
			"X-Prev-Page": "1", "X-Next-Page": "3", "X-Total": "21", "X-Total-Pages": "3",
			"Link": at + `page=1&per_page=10>; rel="prev", ` + at + `page=3&per_page=10>; rel="next", ` + at + `page=1&per_page=10>; rel="first", ` + at + `page=3&per_page=10>; rel="last"`,
		}},
		{"past the end", "page=9", Found{Total: 5}, map[string]string{
			"X-Page": "9", "X-Prev-Page": "", "X-Next-Page": "", "X-Total": "5", "X-Total-Pages": "1",
			"Link": at + `page=1&per_page=20>; rel="first", ` + at + `page=1&per_page=20>; rel="last"`,
		}},
		{"not counted, more", "page=2", Found{Total: -1, More: true}, map[string]string{
			"X-Prev-Page": "1", "X-Next-Page": "3", "X-Total": "(none)", "X-Total-Pages": "(none)",
			"Link": at + `page=1&per_page=20>; rel="prev", ` + at + `page=3&per_page=20>; rel="next", ` + at + `page=1&per_page=20>; rel="first"`,
		}},
		{"not counted, end", "", Found{Total: -1}, map[string]string{
			"X-Prev-Page": "", "X-Next-Page": "", "X-Total": "(none)",
			"Link": at + `page=1&per_page=20>; rel="first"`,
		}},
		{"ten thousand rows are counted", "per_page=100", Found{Total: 10_000}, map[string]string{
			"X-Total": "10000", "X-Total-Pages": "100", "X-Next-Page": "2",
		}},
		{"more are not told", "per_page=100", Found{Total: 10_001}, map[string]string{
			"X-Total": "(none)", "X-Total-Pages": "(none)", "X-Next-Page": "2",
			"Link": at + `page=2&per_page=100>; rel="next", ` + at + `page=1&per_page=100>; rel="first"`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://127.0.0.1:8929/api/v4/projects/1/triggers?"+test.query, nil)
			r.SetPathValue("id", "1")
			p := read(t, r, "id")
			w := httptest.NewRecorder()
			urls.WritePage(w, r, p, p.Page(), test.found)
			for name, want := range test.want {
				got := "(none)"
				if values := w.Header().Values(name); len(values) == 1 {
					got = values[0]
				}
				if got != want {
					t.Errorf("%s: got %s, want %s", name, got, want)
				}
			}
		})
	}
}

func TestLinksRepeatParametersButNoCredentials(t *testing.T) {
	urls, err := ParseURLs("https://ci.example.org")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/api/v4/projects/g%2Fp/jobs?scope[]=failed&private_token=glpat-1&job_token=glcbt-1&token=glptt-1"+
		"&access_token=gloas-1&z=%26%20b&kind=a&kind=b&f[y]=2&f[x]=1&n", nil)
	r.SetPathValue("id", "g/p")
	p := read(t, r, "id")
	w := httptest.NewRecorder()
	urls.WritePage(w, r, p, p.Page(), Found{Total: -1})
	const want = `<https://ci.example.org/api/v4/projects/g%2Fp/jobs?f%5Bx%5D=1&f%5By%5D=2&id=g%2Fp&kind=a&kind=b&n=&page=1&per_page=20&scope%5B%5D=failed&z=%26+b>; rel="first"`
	if got := w.Header().Get("Link"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
