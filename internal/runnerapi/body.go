package runnerapi

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/lanyard-ci/lanyard/internal/wire"
)

// stall is how long a runner may send nothing in the middle of a body.
const stall = time.Minute

// read reads the parameters of a request. Its body has to come within a minute:
// what a runner says about itself is short.
func read(w http.ResponseWriter, r *http.Request, path ...string) (*wire.Params, error) {
	connection := http.NewResponseController(w)
	if err := deadline(connection, time.Now().Add(stall)); err != nil {
		return nil, err
	}
	p, err := wire.ReadParams(w, r, path...)
	return p, errors.Join(err, deadline(connection, time.Time{})) // a poll waits longer than that
}

// deadline bounds reading from the connection, where that is possible.
func deadline(c *http.ResponseController, at time.Time) error {
	err := c.SetReadDeadline(at)
	if errors.Is(err, http.ErrNotSupported) { // a connection that a test made up
		return nil
	}
	return err
}

// steadily reads a long body for as long as it keeps coming.
func steadily(w http.ResponseWriter, body io.Reader) io.Reader {
	return &steady{connection: http.NewResponseController(w), body: body}
}

type steady struct {
	connection *http.ResponseController
	body       io.Reader
}

// Read implements io.Reader.
func (s *steady) Read(p []byte) (int, error) {
	if err := deadline(s.connection, time.Now().Add(stall)); err != nil {
		return 0, err
	}
	n, err := s.body.Read(p)
	if err != nil { // also at the end: the answer may take its time
		if reset := deadline(s.connection, time.Time{}); reset != nil && err == io.EOF {
			err = reset
		}
	}
	return n, err
}
