package wire

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// JSON answers with v as JSON. Nothing is sent when v cannot be encoded, so the
// caller can return the error and the client sees a 500 instead of half a body.
// The characters <, > and & are escaped, as GitLab does. Unless the handler chose
// another one, the answer carries GitLab's Cache-Control, which keeps tokens out
// of shared caches.
func JSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	return send(w, status, "application/json", body)
}

// Text answers with plain text.
func Text(w http.ResponseWriter, status int, text string) error {
	return send(w, status, "text/plain; charset=utf-8", []byte(text))
}

// NoContent answers 204: no body and no Content-Type.
func NoContent(w http.ResponseWriter) error {
	w.Header().Del("Content-Type")
	w.Header().Del("Content-Length")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "max-age=0, private, must-revalidate")
	}
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write reply: %w", err)
	}
	return nil
}
