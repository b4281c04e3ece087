package wire

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := JSON(w, http.StatusCreated, map[string]any{"a": "<&>", "b": nil}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Body.String(), `{"a":"\u003c\u0026\u003e","b":null}`; w.Code != 201 || got != want {
		t.Errorf("got %d %s, want 201 %s", w.Code, got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Content-Length": "35", "Cache-Control": "max-age=0, private, must-revalidate",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestJSONSendsNothingThatCannotBeEncoded(t *testing.T) {
	var log lines
	edge := edgeWith(func(w http.ResponseWriter, _ *http.Request) error { return JSON(w, 200, math.NaN()) }, &log)
	w := httptest.NewRecorder()
	edge.ServeHTTP(w, httptest.NewRequest("GET", "/api/v4/x", nil))
	if w.Code != 500 || !strings.HasPrefix(w.Body.String(), `{"message":"500 Internal Server Error"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestJSONKeepsAChosenCacheControl(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Cache-Control", "no-store")
	if err := JSON(w, 200, 1); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("got %q", got)
	}
}

func TestNoContent(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	if err := NoContent(w); err != nil {
		t.Fatal(err)
	}
	if w.Code != 204 || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "" {
		t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestText(t *testing.T) {
	w := httptest.NewRecorder()
	if err := Text(w, 301, "moved"); err != nil {
		t.Fatal(err)
	}
	if w.Code != 301 || w.Body.String() != "moved" || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
	}
}

// The bytes of files count too, and streams can flush through the wrapper.
func TestResponseCountsAndFlushes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log lines
	edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.WriteString(w, "abc"); err != nil {
			return err
		}
		w.(http.Flusher).Flush()
		_, err = io.Copy(w, f)
		return err
	}, &log)
	server := httptest.NewServer(edge)
	resp, err := http.Get(server.URL + "/api/v4/x")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	server.Close()
	if err != nil || string(body) != "abc12345" {
		t.Errorf("got %q %v", body, err)
	}
	if got := log.records(t)[0]["bytes"]; got != float64(8) {
		t.Errorf("bytes: got %v, want 8", got)
	}
}
