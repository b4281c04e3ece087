package script

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// An answer is what the server said last.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// client follows no redirects: where one leads is for the script to look at.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// A draft is a request as the arguments of a verb describe it.
type draft struct {
	method, path string
	header       http.Header
	names        []string // of values, in order
	values       []string
	inQuery      bool
	multipart    bool
	body         []byte
}

// request sends a request and keeps the answer.
func (s *session) request(ts *testscript.TestScript, method string, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: %s PATH [ARG…]", method)
	}
	s.send(ts, s.parse(ts, method, args))
	ts.Logf("[%d] %s", s.answer.status, s.answer.body)
}

// parse reads the arguments of a request.
func (s *session) parse(ts *testscript.TestScript, method string, args []string) *draft {
	d := &draft{method: method, path: args[0], header: http.Header{}}
	d.inQuery = method == "GET" || method == "HEAD" || method == "DELETE"
	for args = args[1:]; len(args) > 0; args = args[1:] {
		switch arg := args[0]; {
		case arg == "-multipart":
			d.multipart = true
		case arg == "-query":
			d.inQuery = true
		case arg == "-json" && len(args) > 1:
			d.header.Set("Content-Type", "application/json")
			d.body = []byte(os.Expand(args[1], ts.Getenv))
			args = args[1:]
		case arg == "-body" && len(args) > 1:
			d.body = []byte(ts.ReadFile(args[1]))
			args = args[1:]
		case isHeader(arg):
			name, value, _ := strings.Cut(arg, ": ")
			d.header.Set(name, value)
		default:
			name, value, ok := strings.Cut(arg, "=")
			if !ok {
				ts.Fatalf("what is %q? (KEY=VALUE, 'Header: value', -json, -multipart, -query, -body)", arg)
			}
			d.names, d.values = append(d.names, name), append(d.values, value)
		}
	}
	return d
}

// isHeader reports whether an argument is 'Header: value': a name that could be
// one, before the first colon and blank.
func isHeader(arg string) bool {
	name, _, ok := strings.Cut(arg, ": ")
	return ok && !strings.ContainsAny(name, "=[] ")
}

// send sends a request as the actor and keeps the answer.
func (s *session) send(ts *testscript.TestScript, d *draft) {
	if s.server == nil {
		ts.Fatalf("no server: say `server` first")
	}
	address := s.server.URL + "/api/v4/" + d.path
	if strings.HasPrefix(d.path, "/") { // from the root of the host, whatever path the server has there
		base, err := url.Parse(s.server.URL)
		ts.Check(err)
		address = base.Scheme + "://" + base.Host + d.path
	}
	body := d.encode(ts)
	if d.inQuery && len(d.names) > 0 {
		separator := "?"
		if strings.Contains(d.path, "?") {
			separator = "&"
		}
		address += separator + d.form()
	}
	req, err := http.NewRequestWithContext(s.t.Context(), d.method, address, bytes.NewReader(body))
	ts.Check(err)
	req.Header = d.header
	if token := s.tokens[s.actor]; token != "" && req.Header.Get("PRIVATE-TOKEN") == "" && !d.anonymous() {
		req.Header.Set("PRIVATE-TOKEN", token)
	}
	resp, err := client.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	ts.Check(err)
	s.answer = answer{resp.StatusCode, resp.Header, data}
}

// anonymous reports whether the request brings credentials of its own, so that
// those of the actor must not answer for it.
func (d *draft) anonymous() bool {
	for _, name := range []string{"Authorization", "JOB-TOKEN", "Runner-Token"} {
		if d.header.Get(name) != "" {
			return true
		}
	}
	return false
}

// form writes the values in their order.
func (d *draft) form() string {
	parts := make([]string, len(d.names))
	for i, name := range d.names {
		parts[i] = url.QueryEscape(name) + "=" + url.QueryEscape(d.values[i])
	}
	return strings.Join(parts, "&")
}

// encode makes the body and sets its type.
func (d *draft) encode(ts *testscript.TestScript) []byte {
	switch {
	case d.body != nil || d.inQuery || len(d.names) == 0:
		return d.body
	case d.multipart:
		var buf bytes.Buffer
		w := multipart.NewWriter(&buf)
		for i, name := range d.names {
			ts.Check(w.WriteField(name, d.values[i]))
		}
		ts.Check(w.Close())
		d.header.Set("Content-Type", w.FormDataContentType())
		return buf.Bytes()
	}
	if d.header.Get("Content-Type") == "" {
		d.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return []byte(d.form())
}

// curl runs the real curl, as documentation shows it.
func (s *session) curl(ts *testscript.TestScript, args []string) {
	head, body := ts.MkAbs(".curl-head"), ts.MkAbs(".curl-body")
	os.Remove(body)
	ts.Check(ts.Exec("curl", append([]string{"-sS", "-D", head, "-o", body, "-w", "%{http_code}"}, args...)...))
	status, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile("stdout")))
	ts.Check(err)
	s.answer = answer{status: status, header: readHeader(ts.ReadFile(head))}
	if data, err := os.ReadFile(body); err == nil { // curl writes no file for an empty body
		s.answer.body = data
	}
	ts.Logf("[%d] %s", s.answer.status, s.answer.body)
}

// readHeader reads the headers that curl wrote down: those of its last answer.
func readHeader(text string) http.Header {
	h := http.Header{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case strings.HasPrefix(line, "HTTP/"):
			h = http.Header{}
		case ok:
			h.Add(name, value)
		}
	}
	return h
}
