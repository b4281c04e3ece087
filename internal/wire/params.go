package wire

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Limits bound what a request may send as parameters. Zero fields mean the
// defaults.
type Limits struct {
	Bytes int64 // of the body; 1 MiB
	Depth int   // of JSON; 64. Names of forms may nest 32 deep, Rack's limit
	Keys  int   // names in query and body, at every depth; 10,000. Lists may hold ten times as many elements
}

const itemsPerKey = 10

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 1 << 20
	}
	if l.Depth == 0 {
		l.Depth = 64
	}
	if l.Keys == 0 {
		l.Keys = 10_000
	}
	return l
}

// Source says where a parameter came from; later ones win.
type Source uint8

// The sources of a parameter.
const (
	FromQuery Source = iota + 1
	FromBody
	FromPath
)

// Params are the parameters of one request: query, body and path merged into one
// ordered tree, later sources replacing whole values of earlier ones.
//
// The accessors read one parameter each, coerce it as Grape does, and remember
// what was wrong; the handler asks Err once, after the last of them, and returns
// it. A name may address a nested value as clients write it: filter[environment_scope].
// Params belong to one goroutine.
type Params struct {
	root       *Tree
	problems   []string
	jsonAsForm bool
}

// ReadParams reads the parameters of r within the default limits. path names the
// wildcards of the route that become parameters, in the order in which GitLab
// would have them.
func ReadParams(w http.ResponseWriter, r *http.Request, path ...string) (*Params, error) {
	return Limits{}.Read(w, r, path...)
}

// QueryParams is for handlers that read the body themselves: only query and path.
func QueryParams(r *http.Request, path ...string) (*Params, error) {
	b := builder{limits: Limits{}.withDefaults()}
	return b.query(r, path)
}

// Read is ReadParams with other limits. The body is read for every method but GET
// and HEAD; files are refused. It fails with a [ci.Error] of kind BadParam (a
// malformed body), UnsupportedMedia (a type other than JSON, urlencoded and
// multipart forms) or with [http.MaxBytesError].
func (l Limits) Read(w http.ResponseWriter, r *http.Request, path ...string) (*Params, error) {
	b := builder{limits: l.withDefaults()}
	if !hasBody(r) {
		return b.query(r, path)
	}
	p, err := b.query(r, nil)
	if err != nil {
		return nil, err
	}
	body, err := b.body(w, r, p)
	if err != nil {
		return nil, err
	}
	for key, value := range body.All() {
		p.root.put(key, value, FromBody)
	}
	p.addPath(r, path)
	return p, nil
}

func (b *builder) query(r *http.Request, path []string) (*Params, error) {
	root, err := b.form(r.URL.RawQuery, FromQuery)
	if err != nil {
		return nil, err
	}
	p := &Params{root: root}
	p.addPath(r, path)
	return p, nil
}

func (p *Params) addPath(r *http.Request, names []string) {
	for _, name := range names {
		p.root.put(name, &Tree{Kind: String, Form: true, Text: r.PathValue(name)}, FromPath)
	}
}

func hasBody(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead &&
		r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// body reads the body by its declared type. A body without a type is JSON when it
// looks like it, else a form. A form that looks like JSON is not read as JSON, but
// remembered for the hint.
func (b *builder) body(w http.ResponseWriter, r *http.Request, p *Params) (*Tree, error) {
	if r.ContentLength > b.limits.Bytes {
		return nil, &http.MaxBytesError{Limit: b.limits.Bytes}
	}
	stream := http.MaxBytesReader(connection(w), r.Body, b.limits.Bytes)
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if media == "multipart/form-data" {
		_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || params["boundary"] == "" {
			return nil, malformed(err)
		}
		return b.multipart(stream, params["boundary"])
	}
	data, err := readBody(stream, r.ContentLength)
	if err != nil {
		return nil, err
	}
	trimmed := bytes.TrimSpace(data)
	looksJSON := len(trimmed) > 0 && trimmed[0] == '{'
	switch {
	case len(trimmed) == 0:
		return NewMap(), nil
	case media == "application/json", strings.HasSuffix(media, "+json"), media == "" && looksJSON:
		return b.jsonBody(data)
	case media == "application/x-www-form-urlencoded", media == "":
		p.jsonAsForm = looksJSON
		return b.form(string(data), FromBody)
	}
	return nil, ci.UnsupportedMedia(media)
}

// jsonBody reads a JSON body. Only an object has parameters; anything else is
// accepted and says nothing, as in GitLab. A key that is written like a form's,
// "variables[FOO]", is taken for what its sender meant: glab api -f makes such.
func (b *builder) jsonBody(data []byte) (*Tree, error) {
	body, err := b.json(data)
	if err != nil {
		return nil, err
	}
	if body.Kind != Map {
		return NewMap(), nil
	}
	bracketed := func(p pair) bool {
		return strings.IndexByte(p.key, '[') > 0 && strings.HasSuffix(p.key, "]")
	}
	if !slices.ContainsFunc(body.fields.pairs, bracketed) {
		return body, nil
	}
	nested := NewMap()
	for _, p := range body.fields.pairs {
		if !bracketed(p) || b.add(nested, p.key, p.value, FromBody) != nil {
			nested.put(p.key, p.value, FromBody)
		}
	}
	return nested, nil
}

// LimitBody bounds a body that the handler reads itself. Reading more fails with
// an [http.MaxBytesError], which is answered 413.
func LimitBody(w http.ResponseWriter, r *http.Request, bytes int64) {
	r.Body = http.MaxBytesReader(connection(w), r.Body, bytes)
}

// readBody reads a body of at most the limit of stream.
func readBody(stream io.Reader, length int64) ([]byte, error) {
	var buf bytes.Buffer
	if length > 0 {
		buf.Grow(int(length) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(stream); err != nil {
		return nil, readError(err)
	}
	return buf.Bytes(), nil
}

// readError passes on that a body was too large; any other failure to read it is
// the client's: it hung up or promised more than it sent.
func readError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return &ci.Error{Kind: ci.KindBadParam, Message: "request body ended too early", Err: err}
}

func malformed(err error) error {
	return &ci.Error{Kind: ci.KindBadParam, Message: "message body does not match declared format", Err: err}
}

// Get gives the value of a parameter, nil when it is absent.
func (p *Params) Get(name string) *Tree {
	if i := strings.IndexByte(name, '['); i > 0 && p.root.find(name) < 0 {
		t := p.root.Get(name[:i])
		for key := range strings.SplitSeq(strings.TrimSuffix(name[i+1:], "]"), "][") {
			t = t.Get(key)
		}
		return t
	}
	return p.root.Get(name)
}

// Has reports whether a parameter was sent, even as null.
func (p *Params) Has(name string) bool { return p.Get(name) != nil }

// Source says where a parameter of the top level came from, 0 when it is absent.
func (p *Params) Source(name string) Source {
	if i := p.root.find(name); i >= 0 {
		return p.root.fields.pairs[i].from
	}
	return 0
}

// Set replaces a parameter, or adds it as the last one.
func (p *Params) Set(name string, value *Tree) { p.root.put(name, value, p.Source(name)) }

// Default sets a parameter that is absent or blank.
func (p *Params) Default(name string, value *Tree) {
	if p.root.Get(name).Blank() {
		p.Set(name, value)
	}
}

// Payload is the JSON of all parameters in the order of arrival, without those
// that carry credentials: the value of TRIGGER_PAYLOAD.
func (p *Params) Payload() []byte { return p.root.appendPairs(nil, p.hidden) }

// hidden reports whether a parameter must not be repeated. JSON that was sent as a
// form falls apart into pieces that may hold a credential under any name.
func (p *Params) hidden(name string) bool {
	return IsCredential(name) || p.jsonAsForm && p.Source(name) == FromBody
}

// IsCredential reports whether a parameter of that name holds what a caller
// proves himself with. It is repeated nowhere: no answer, header, log or row.
func IsCredential(name string) bool {
	switch name {
	case "token", "private_token", "job_token", "access_token":
		return true
	}
	return false
}
