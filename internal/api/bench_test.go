package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// BenchmarkTrigger is one trigger call from its bytes to its answer, durable, with
// three jobs; -cpu 16 shows what callers side by side share a commit.
func BenchmarkTrigger(b *testing.B) {
	w := enginetest.New(b, enginetest.Config{})
	project := w.Project("hello", ".gitlab-ci.yml", "a: {script: [make]}\nb: {script: [make]}\nc: {script: [make]}\n")
	body := `{"ref":"main","token":"` + w.TriggerToken(project, w.Someone(project, ci.Maintainer)) + `","variables":{"COLOR":"red"}}`
	_, h := serve(b, w)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/v4/projects/1/trigger/pipeline", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			if h.ServeHTTP(answer, r); answer.Code != http.StatusCreated {
				b.Errorf("got %d %s", answer.Code, answer.Body)
				return
			}
		}
	})
}
