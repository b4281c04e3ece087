package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// request makes a POST; an empty contentType sends none.
func request(target, contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// multipartOf makes the body that curl -F makes; pairs alternate names and values.
func multipartOf(t testing.TB, pairs ...string) (contentType, body string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for i := 0; i < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), buf.String()
}

func read(t testing.TB, r *http.Request, path ...string) *Params {
	t.Helper()
	p, err := ReadParams(httptest.NewRecorder(), r, path...)
	if err != nil {
		t.Fatalf("read parameters: %v", err)
	}
	return p
}

func treeJSON(t testing.TB, v *Tree) string {
	t.Helper()
	b, err := v.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNamesOfForms(t *testing.T) {
	tests := []struct{ query, want string }{
		{"", `{}`},
		{"a=1", `{"a":"1"}`},
		{"a", `{"a":null}`},
		{"a=", `{"a":""}`},
		{"=1", `{}`},
		{"&&a=1&", `{"a":"1"}`},
		{"a=1& b=2", `{"a":"1","b":"2"}`},
		{"a=1;b=2", `{"a":"1;b=2"}`},
		{"a=b=c", `{"a":"b=c"}`},
		{"a=1&b=2&a=3", `{"a":"3","b":"2"}`},
		{"z=1&y=2&x=3", `{"z":"1","y":"2","x":"3"}`},
		{"a=%2B+%C3%A4", `{"a":"+ ä"}`},
		{"a%5Bb%5D=1", `{"a":{"b":"1"}}`},
		{"a[b]=1&a[c]=2", `{"a":{"b":"1","c":"2"}}`},
		{"a[b][c]=1&a[b][d]=2", `{"a":{"b":{"c":"1","d":"2"}}}`},
		{"a[b]", `{"a":{"b":null}}`},
		{"a[]=1&a[]=2", `{"a":["1","2"]}`},
		{"a[]", `{"a":[null]}`},
		{"a[]=", `{"a":[""]}`},
		{"a[b][]=1&a[b][]=2", `{"a":{"b":["1","2"]}}`},
		{"a[][k]=1&a[][v]=2&a[][k]=3&a[][v]=4", `{"a":[{"k":"1","v":"2"},{"k":"3","v":"4"}]}`},
		{"a[][k]=1&a[][k]=2", `{"a":[{"k":"1"},{"k":"2"}]}`},
		{"a[][k][x]=1&a[][k][y]=2&a[][k][x]=3", `{"a":[{"k":{"x":"1","y":"2"}},{"k":{"x":"3"}}]}`},
		{"a[][k][]=1&a[][k][]=2", `{"a":[{"k":["1","2"]}]}`},
		{"a[][]=1", `{"a":[["1"]]}`},
		{"a[][][b]=1", `{"a":[{"[]":{"b":"1"}}]}`},
		{"a[0][k]=1&a[0][v]=2&a[1][k]=3", `{"a":{"0":{"k":"1","v":"2"},"1":{"k":"3"}}}`},
		{"a[=1", `{"a[":"1"}`},
		{"a[b=1", `{"a":{"[b":"1"}}`},
		{"a]=1", `{"a]":"1"}`},
		{"[a]=1", `{"[a]":"1"}`},
		{"[]=1", `{"[]":"1"}`},
		{"a[b]c=1", `{"a":{"b":{"c":"1"}}}`},
		{"a[b]c[d]=1", `{"a":{"b":{"c[d]":"1"}}}`},
		{"a[[]=1", `{"a":{"[":"1"}}`},
		{"a[[]]=1", `{"a":{"[":{"]":"1"}}}`},
		{"a[][i]=1&a[][b][x]=2&a[][b][y]=3&a[][i]=4&a[][b][x]=5", `{"a":[{"i":"1","b":{"x":"2","y":"3"}},{"i":"4","b":{"x":"5"}}]}`},
		{"a&a[b]=1", `{"a":{"b":"1"}}`},
		{"a[b]=1&a=2", `{"a":"2"}`},
		{"a[][b]=1&a[]=2", `{"a":[{"b":"1"},"2"]}`},
		{"a[]=1&a[][b]=2", `{"a":["1",{"b":"2"}]}`},
		{"a=%3Cb%3E%26", `{"a":"\u003cb\u003e\u0026"}`},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			fromQuery := read(t, request("/?"+strings.ReplaceAll(test.query, " ", "%20"), "", ""))
			fromBody := read(t, request("/", formType, test.query))
			if got := treeJSON(t, fromBody.root); got != test.want {
				t.Errorf("body: got %s, want %s", got, test.want)
			}
			if got := treeJSON(t, fromQuery.root); got != test.want && !strings.Contains(test.query, "& ") {
				t.Errorf("query: got %s, want %s", got, test.want)
			}
		})
	}
}

func TestParamsThatAreRefused(t *testing.T) {
	deep := "a" + strings.Repeat("[b]", 40) + "=1"
	many := strings.Repeat("a=1&", 10_001)
	file := func() (string, string) {
		var buf bytes.Buffer
		w := multipart.NewWriter(&buf)
		part, err := w.CreateFormFile("variables[K]", "x.txt")
		if err == nil {
			_, err = part.Write([]byte("content"))
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return w.FormDataContentType(), buf.String()
	}
	fileType, fileBody := file()
	partType, partBody := multipartOf(t, "a", "b")
	tests := []struct {
		name, query, contentType, body string
		status                         int
		want                           string
	}{
		{"hash into text", "a=1&a[b]=2", "", "", 400, "expected Hash (got String) for param `a'"},
		{"list into text", "a=1&a[]=2", "", "", 400, "expected Array (got String) for param `a'"},
		{"list into hash", "a[b]=1&a[]=2", "", "", 400, "expected Array (got Hash) for param `a'"},
		{"hash into list", "a[]=1&a[b]=2", "", "", 400, "expected Hash (got Array) for param `a'"},
		{"elements into hash", "a[b]=1&a[][c]=2", "", "", 400, "expected Array (got Hash) for param `a'"},
		{"name not shown", `%7B%22token%22:%22x=1&%7B%22token%22:%22x[a]=1`, "", "", 400, "expected Hash (got String) for param `?'"},
		{"bad escape", "a=%zz", "", "", 400, "Invalid %-encoding in parameters"},
		{"bad escape in name", "%z=1", "", "", 400, "Invalid %-encoding in parameters"},
		{"bad UTF-8", "a=%ff", "", "", 400, "Invalid encoding in parameters"},
		{"NUL", "a=%00", "", "", 400, "Invalid encoding in parameters"},
		{"too deep", deep, "", "", 400, "Parameters nested too deeply"},
		{"too many", "", formType, many, 400, "Too many total parameters"},
		{"JSON: bad", "", jsonType, `{"a":`, 400, "message body does not match declared format"},
		{"JSON: bad UTF-8", "", jsonType, "{\"a\":\"\xff\"}", 400, "Invalid encoding in parameters"},
		{"JSON: NUL", "", jsonType, `{"a":"\u0000"}`, 400, "Invalid encoding in parameters"},
		{"JSON: too deep", "", jsonType, strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), 400, "Parameters nested too deeply"},
		{"JSON: too deep lists", "", jsonType, `{"a":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + "}", 400, "Parameters nested too deeply"},
		{"JSON: too many", "", jsonType, "{" + strings.Repeat(`"a":1,`, 10_000) + `"a":1}`, 400, "Too many total parameters"},
		{"JSON: too many elements", "", jsonType, `{"a":[` + strings.Repeat(`1,`, 100_000) + `1]}`, 400, "Too many total parameters"},
		{"file", "", fileType, fileBody, 400, "variables[K] is invalid"},
		{"multipart without end", "", partType, partBody[:len(partBody)-10], 400, "message body does not match declared format"},
		{"multipart without boundary", "", "multipart/form-data", partBody, 400, "message body does not match declared format"},
		{"type", "", "text/plain", "a=1", 415, "The provided content-type 'text/plain' is not supported."},
		{"type with parameters", "", "Application/XML; charset=utf-8", "<a/>", 415, "The provided content-type 'application/xml' is not supported."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadParams(httptest.NewRecorder(), request("/?"+test.query, test.contentType, test.body))
			if err == nil {
				t.Fatalf("accepted")
			}
			p := Explain(err)
			if p.Status != test.status || p.Message != test.want || p.key != "error" {
				t.Errorf("got %d %q under %q, want %d %q", p.Status, p.Message, p.key, test.status, test.want)
			}
		})
	}
}

func TestBodyThatEndsEarly(t *testing.T) {
	for _, contentType := range []string{formType, jsonType, "multipart/form-data; boundary=x"} {
		r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("--x\r\n"), broken{}))
		r.Header.Set("Content-Type", contentType)
		_, err := ReadParams(httptest.NewRecorder(), r)
		if got := ci.KindOf(err); got != ci.KindBadParam {
			t.Errorf("%s: got %v, want a bad parameter", contentType, err)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestJSONBodies(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"empty object", `{}`, `{}`},
		{"empty", ``, `{}`},
		{"blank", " \n", `{}`},
		{"order", `{"z":1,"y":{"b":1,"a":2},"x":[]}`, `{"z":1,"y":{"b":1,"a":2},"x":[]}`},
		{"white space", " { \"a\" : [ 1 , true ,\tnull ] , \"b\" : { } }\n", `{"a":[1,true,null],"b":{}}`},
		{"numbers verbatim", `{"a":1.50,"b":-0,"c":1e3,"d":12345678901234567890123}`, `{"a":1.50,"b":-0,"c":1e3,"d":12345678901234567890123}`},
		{"literals", `{"a":true,"b":false,"c":null}`, `{"a":true,"b":false,"c":null}`},
		{"last of a repeated key, first place", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"}`, `{"a":"\"\\/\b\f\n\r\tä😀"}`},
		{"Rails escapes", "{\"a\":\"<>&\u2028\u2029\u007f\"}", `{"a":"\u003c\u003e\u0026\u2028\u2029` + "\u007f" + `"}`},
		{"escaped keys", `{"\u0061\"":1}`, `{"a\"":1}`},
		{"control characters", `{"a":"\u0001\u001f"}`, `{"a":"\u0001\u001f"}`},
		{"not an object", `[1,2]`, `{}`},
		{"a string", `"x"`, `{}`},
		{"a form's names", `{"ref":"main","variables[FOO]":"bar","variables[X]":"y"}`, `{"ref":"main","variables":{"FOO":"bar","X":"y"}}`},
		{"a form's names beside the map", `{"variables":{"A":"1"},"variables[B]":"2"}`, `{"variables":{"A":"1","B":"2"}}`},
		{"a form's list", `{"scope[]":"a"}`, `{"scope":["a"]}`},
		{"a name that cannot be nested stays", `{"a":"x","a[b]":"y"}`, `{"a":"x","a[b]":"y"}`},
		{"brackets further in stay", `{"a":{"b[c]":1}}`, `{"a":{"b[c]":1}}`},
		{"depth 64", strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64), strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := read(t, request("/", "application/json; charset=utf-8", test.body))
			got := treeJSON(t, p.root)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

func TestContentTypes(t *testing.T) {
	tests := []struct{ name, contentType, body, want string }{
		{"form", formType, "a=1", `{"a":"1"}`},
		{"form with charset", "Application/X-WWW-Form-Urlencoded; charset=UTF-8", "a=1", `{"a":"1"}`},
		{"json", "APPLICATION/JSON", `{"a":1}`, `{"a":1}`},
		{"cloud events", "application/cloudevents+json", `{"a":1}`, `{"a":1}`},
		{"none, looks like JSON", "", ` {"a":1}`, `{"a":1}`},
		{"none", "", "a=1", `{"a":"1"}`},
		{"unreadable but empty", "text/plain", "", `{}`},
		{"json sent as form is no JSON", formType, `{"a":1}`, `{"{\"a\":1}":null}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := read(t, request("/", test.contentType, test.body))
			if got := treeJSON(t, p.root); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// The four ways to send a trigger request mean the same.
func TestTriggerRequestInEveryForm(t *testing.T) {
	const form = "ref=master&token=glptt-1&variables[KEY]=VALUE"
	mpType, mpBody := multipartOf(t, "ref", "master", "token", "glptt-1", "variables[KEY]", "VALUE")
	for name, r := range map[string]*http.Request{
		"query":     request("/projects/42?"+form, "", ""),
		"form":      request("/projects/42", formType, form),
		"multipart": request("/projects/42", mpType, mpBody),
		"json":      request("/projects/42", jsonType, `{"ref":"master","token":"glptt-1","variables":{"KEY":"VALUE"}}`),
		"mixed":     request("/projects/42?ref=master", formType, "token=glptt-1&variables[KEY]=VALUE"),
	} {
		t.Run(name, func(t *testing.T) {
			r.SetPathValue("id", "42")
			p := read(t, r, "id")
			if got, want := string(p.Payload()), `{"ref":"master","variables":{"KEY":"VALUE"},"id":"42"}`; got != want {
				t.Errorf("payload: got %s, want %s", got, want)
			}
			if p.String("token") != "glptt-1" || p.Map("variables").Get("KEY").Text != "VALUE" || p.Err() != nil {
				t.Errorf("got %s", treeJSON(t, p.root))
			}
		})
	}
}

func TestPayload(t *testing.T) {
	r := request("/?ref=master", jsonType, `{"token":"t","private_token":"p","job_token":"j","access_token":"a","nested":{"token":"of a webhook"}}`)
	r.SetPathValue("id", "42")
	p := read(t, r, "id")
	p.Default("variables", NewMap())
	if got, want := string(p.Payload()), `{"ref":"master","nested":{"token":"of a webhook"},"id":"42","variables":{}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPayloadOfTheContract(t *testing.T) {
	r := request("/", formType, "ref=master&token=t")
	r.SetPathValue("id", "42")
	p := read(t, r, "id")
	p.Default("variables", NewMap())
	if got, want := string(p.Payload()), `{"ref":"master","id":"42","variables":{}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	r := request("/?a=query&ref=query&v[A]=1&b=query", formType, "v[B]=2&a=body&ref=body&c=body")
	r.SetPathValue("ref", "path")
	p := read(t, r, "ref")
	if got, want := treeJSON(t, p.root), `{"a":"body","ref":"path","v":{"B":"2"},"b":"query","c":"body"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, want := range map[string]Source{"a": FromBody, "b": FromQuery, "ref": FromPath, "v": FromBody, "x": 0} {
		if got := p.Source(name); got != want {
			t.Errorf("source of %s: got %d, want %d", name, got, want)
		}
	}
}

func TestBodiesThatAreNotRead(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		r := httptest.NewRequest(method, "/?a=1", strings.NewReader(`{"a":2}`))
		r.Header.Set("Content-Type", jsonType)
		if got := read(t, r).String("a"); got != "1" {
			t.Errorf("%s: got %q, want 1", method, got)
		}
	}
	r := httptest.NewRequest("DELETE", "/", strings.NewReader(`{"token":"glrt-1"}`)) // gitlab-runner unregister
	r.Header.Set("Content-Type", jsonType)
	if got := read(t, r).String("token"); got != "glrt-1" {
		t.Errorf("DELETE: got %q", got)
	}
	r = request("/?a=1", "application/octet-stream", "file")
	r.SetPathValue("id", "7")
	p, err := QueryParams(r, "id")
	if err != nil || treeJSON(t, p.root) != `{"a":"1","id":"7"}` {
		t.Errorf("got %v %v", p, err)
	}
	rest, err := io.ReadAll(r.Body)
	if err != nil || string(rest) != "file" {
		t.Errorf("QueryParams took the body: left %q, %v", rest, err)
	}
}

func TestLimitBody(t *testing.T) {
	var log lines
	edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error {
		LimitBody(w, r, 4)
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return fmt.Errorf("read trace: %w", err)
		}
		return Text(w, 200, string(data))
	}, &log)
	for body, want := range map[string]string{"1234": "1234", "12345": `{"message":"413 Request Entity Too Large"}`} {
		w := httptest.NewRecorder()
		edge.ServeHTTP(w, request("/api/v4/x", "text/plain", body))
		if got := w.Body.String(); got != want {
			t.Errorf("%s: got %d %s, want %s", body, w.Code, got, want)
		}
	}
}

func TestEmptyFileFieldIsNotThere(t *testing.T) {
	const boundary = "x"
	body := "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"
	p := read(t, request("/", "multipart/form-data; boundary="+boundary, body))
	if got, want := treeJSON(t, p.root), `{"a":"1"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestManyKeysAreFound(t *testing.T) {
	var query strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&query, "k%d=%d&", i, i)
	}
	p := read(t, request("/", formType, query.String()+"k3=three"))
	if p.root.Len() != 1000 || p.String("k3") != "three" || p.String("k999") != "999" || p.Has("k1000") {
		t.Errorf("got %d keys, k3 %q, k999 %q", p.root.Len(), p.String("k3"), p.String("k999"))
	}
}

func TestJSONHintNamesThePlace(t *testing.T) {
	tests := []struct{ body, want string }{
		{"{\n\"a\": 1,,\n}", "The body is not JSON: byte 10, line 2. Check quotes and commas there."},
		{`{"a":"glptt-secret`, "The body is not JSON: it ends too early. Check that all of it is sent."},
		{`{} {}`, "There is more than one JSON value in the body. Send exactly one object."},
		{`ref=main`, "The body is not JSON: byte 1, line 1. Check quotes and commas there."},
	}
	for _, test := range tests {
		_, err := ReadParams(httptest.NewRecorder(), request("/", jsonType, test.body))
		if p := Explain(err); p.Code != "invalid_json" || p.Hint != test.want {
			t.Errorf("%s: got %q %q, want %q", test.body, p.Code, p.Hint, test.want)
		}
	}
}

func TestParseJSON(t *testing.T) {
	v, err := ParseJSON(`[1,{"a":"b"}]`, Limits{})
	if err != nil || treeJSON(t, v) != `[1,{"a":"b"}]` {
		t.Errorf("got %v %v", v, err)
	}
	if _, err := ParseJSON(`plain text`, Limits{}); err == nil {
		t.Error("took plain text for JSON")
	}
	if _, err := ParseJSON(`[[1]]`, Limits{Depth: 1}); !errors.Is(err, errTooDeep) {
		t.Errorf("got %v, want %v", err, errTooDeep)
	}
}

func TestSetReplacesInPlace(t *testing.T) {
	p := read(t, request("/?a=1&b=2", "", ""))
	p.Set("a", NewString("x"))
	p.Set("c", NewMap())
	if got, want := treeJSON(t, p.root), `{"a":"x","b":"2","c":{}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParams(f *testing.F) {
	mpType, mpBody := multipartOf(f, "a[b]", "1", "c", "2")
	f.Add("a[b]=1&a[][c]=2", formType, "ref=main&variables[K]=V")
	f.Add("", jsonType, `{"a":[1,{"b":null}],"variables[K]":"V"}`)
	f.Add("a&a[]&=&[]=", mpType, mpBody)
	f.Add("a[0][k]=1&a[[[=2&a]]", "", `{"x":1e5}`)
	f.Add("%00", "text/plain", "\xff")
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		p, err := ReadParams(httptest.NewRecorder(), r, "id")
		if err != nil {
			if Explain(err).unknown {
				t.Fatalf("refused with an unknown error: %v", err)
			}
			return
		}
		text := treeJSON(t, p.root)
		again, err := ParseJSON(text, Limits{Depth: 1000, Keys: 1 << 20})
		if err != nil {
			t.Fatalf("%s does not parse: %v", text, err)
		}
		if got := treeJSON(t, again); got != text {
			t.Fatalf("got %s, want %s", got, text)
		}
		for key := range p.root.All() {
			p.String(key)
			p.Int(key, 0)
			p.Bool(key, false)
			p.Strings(key)
			p.List(key)
			p.Map(key)
			p.Time(key)
			p.Enum(key, "", "a")
		}
		queryOf(p.root, IsCredential)
	})
}
