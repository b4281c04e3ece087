package wire

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A credential that a caller sends is repeated nowhere: not in answers, headers
// or logs, however the request ends (decisions.md 23).
func TestCredentialsAreNotRepeated(t *testing.T) {
	const secret = "glptt-0123456789abcdef"
	urls, err := ParseURLs("https://ci.example.org")
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]func(w http.ResponseWriter, r *http.Request, p *Params) error{
		"list": func(w http.ResponseWriter, r *http.Request, p *Params) error {
			urls.WritePage(w, r, p, p.Page(), Found{Total: 50})
			return JSON(w, 200, string(p.Payload()))
		},
		"refused": func(_ http.ResponseWriter, _ *http.Request, p *Params) error {
			p.RequireFilled("ref")
			p.Int("token", 0)
			p.Map("token")
			p.Enum("token", "", "x")
			p.Time("token")
			return p.Err()
		},
		"crash": func(http.ResponseWriter, *http.Request, *Params) error { panic("bug") },
	}
	for _, name := range []string{"token", "private_token", "job_token", "access_token"} {
		for how, make := range requestsWith(t, name, secret) {
			for end, answer := range ends {
				var log lines
				edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error {
					p, err := ReadParams(w, r)
					if err != nil {
						return err
					}
					return answer(w, r, p)
				}, &log)
				w := httptest.NewRecorder()
				edge.ServeHTTP(w, make())
				if said := fmt.Sprint(w.Body, w.Header(), log.String()); strings.Contains(said, secret) {
					t.Errorf("%s in %s, %s: %s", name, how, end, said)
				}
			}
		}
	}
}

// requestsWith makes requests that carry a credential in every place.
func requestsWith(t *testing.T, name, secret string) map[string]func() *http.Request {
	t.Helper()
	mpType, mpBody := multipartOf(t, name, secret)
	post := func(query, contentType, body string) func() *http.Request {
		return func() *http.Request { return request("/api/v4/x?"+query, contentType, body) }
	}
	object := `{"u":"http://x?a=1&b=2","` + name + `":"` + secret + `"}`
	return map[string]func() *http.Request{
		"query":        post(name+"="+secret, "", ""),
		"form":         post("", formType, name+"="+secret),
		"json":         post("", jsonType, object),
		"multipart":    post("", mpType, mpBody),
		"json as form": post("", formType, object),
		"cut json":     post("", jsonType, object[:len(object)-1]),
		"bad type":     post("", "text/plain", name+"="+secret),
		"mixed types":  post("", formType, name+"="+secret+"&"+name+"[a]=1"),
		"bad escape":   post("", formType, name+"="+secret+"%zz"),
		"no route":     func() *http.Request { return request("/api/v4/y?"+name+"="+secret, "", "") },
		"headers": func() *http.Request {
			r := request("/api/v4/x", "", "")
			r.Header.Set("Authorization", "Bearer "+secret)
			r.Header.Set("Private-Token", secret)
			return r
		},
	}
}
