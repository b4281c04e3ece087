package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/lanyard-ci/lanyard/internal/wire"
)

// readinessTime is how long all parts together may take to say that they work.
const readinessTime = 2 * time.Second

// A part is something without which the server cannot do its work. Its name and
// words are public, the error of check is for the log.
type part struct {
	name  string
	words string // what is said when check fails
	check func(context.Context) error
}

// parts are what readiness looks at.
func (s *Server) parts() []part {
	state, c := s.state, s.config
	return []part{
		{"database", "does not answer", func(ctx context.Context) error {
			_, err := state.store.View().CountUsers(ctx)
			return err
		}},
		{"writer", "takes no writes", state.store.Ping},
		{"logs", "do not answer", func(ctx context.Context) error {
			_, err := state.logs.Size(ctx, 0)
			return err
		}},
		{"repositories", "cannot be read", func(context.Context) error { return readable(c.repositories()) }},
		{"blobs", "cannot be read", state.blobs.Ready},
		{"server", "is shutting down", func(context.Context) error {
			if s.draining.Load() {
				return errStopping
			}
			return nil
		}},
	}
}

// readable reports why a folder cannot be opened.
func readable(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return folder.Close()
}

// readiness says whether every part can do its work, and which cannot.
func (s *Server) readiness(parts []part) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), readinessTime)
		defer cancel()
		failing := map[string]string{}
		var why []string
		for _, p := range parts {
			if err := p.check(ctx); err != nil {
				failing[p.name] = p.words
				why = append(why, fmt.Sprintf("%s: %v", p.name, err))
			}
		}
		w.Header().Set("Cache-Control", "no-store")
		if len(failing) == 0 {
			return wire.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
		}
		wire.Annotate(r.Context(), slog.Any("failing", why))
		return wire.JSON(w, http.StatusServiceUnavailable, map[string]any{"status": "failing", "failing": failing})
	}
}
