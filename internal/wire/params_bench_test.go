package wire

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func benchmarkParams(b *testing.B, query, contentType, body string) {
	r := httptest.NewRequest("POST", "/api/v4/projects/42/trigger/pipeline?"+query, nil)
	r.SetPathValue("id", "42")
	r.Header.Set("Content-Type", contentType)
	r.ContentLength = int64(len(body))
	w := httptest.NewRecorder()
	b.ReportAllocs()
	b.SetBytes(int64(len(body) + len(query)))
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		p, err := ReadParams(w, r, "id")
		if err != nil {
			b.Fatal(err)
		}
		p.RequireFilled("ref")
		p.Require("token")
		if p.Err() != nil || p.String("ref") != "main" || p.Map("variables").Len() != 3 {
			b.Fatal("misread")
		}
	}
}

const (
	benchForm = "token=glptt-0123456789abcdef0123456789abcdef01234567&ref=main&variables[DEPLOY_ENV]=staging&variables[VERSION]=1.2.3&variables[DEBUG]=false"
	benchJSON = `{"token":"glptt-0123456789abcdef0123456789abcdef01234567","ref":"main","variables":{"DEPLOY_ENV":"staging","VERSION":"1.2.3","DEBUG":"false"}}`
)

func BenchmarkParamsForm(b *testing.B)  { benchmarkParams(b, "", formType, benchForm) }
func BenchmarkParamsJSON(b *testing.B)  { benchmarkParams(b, "", jsonType, benchJSON) }
func BenchmarkParamsQuery(b *testing.B) { benchmarkParams(b, benchForm, "", "") }

func BenchmarkParamsMultipart(b *testing.B) {
	contentType, body := multipartOf(b, "token", "glptt-0123456789abcdef0123456789abcdef01234567", "ref", "main",
		"variables[DEPLOY_ENV]", "staging", "variables[VERSION]", "1.2.3", "variables[DEBUG]", "false")
	benchmarkParams(b, "", contentType, body)
}

func BenchmarkPayload(b *testing.B) {
	r := request("/", jsonType, benchJSON)
	r.SetPathValue("id", "42")
	p := read(b, r, "id")
	b.ReportAllocs()
	for b.Loop() {
		if len(p.Payload()) == 0 {
			b.Fatal("empty")
		}
	}
}

// A trigger request stays within these allocations; see the benchmarks for time.
func TestParamsAllocations(t *testing.T) {
	for name, test := range map[string]struct {
		contentType, body string
		most              float64
	}{
		"form": {formType, benchForm, 35},
		"json": {jsonType, benchJSON, 45},
	} {
		r := request("/", test.contentType, test.body)
		w := httptest.NewRecorder()
		got := testing.AllocsPerRun(100, func() {
			r.Body = io.NopCloser(strings.NewReader(test.body))
			if _, err := ReadParams(w, r); err != nil {
				t.Fatal(err)
			}
		})
		if got > test.most {
			t.Errorf("%s: got %v allocations, want at most %v", name, got, test.most)
		}
	}
}
