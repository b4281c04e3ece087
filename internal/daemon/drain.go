package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// endTimes are how long the end may take, all in all less than the 20 s that
// systemd, Docker and our own promise (design/interface.md) leave.
type endTimes struct {
	drain    time.Duration // for the runner's jobs to end and requests to be answered
	withdraw time.Duration // for requests that were told to end to do so
}

var defaultEnd = endTimes{drain: 16 * time.Second, withdraw: time.Second}

// errStopping is why requests that outlast the drain are withdrawn.
var errStopping = errors.New("the server is shutting down")

// drain lets running work end. The runner comes first, since its last reports
// need the server; whoever waits for news is answered then, and what still runs
// may finish while there is time.
func (s *Server) drain(runnerDone <-chan struct{}) error {
	s.draining.Store(true)
	s.config.Logger.Info("draining")
	ctx, cancel := context.WithTimeout(context.Background(), s.end.drain)
	defer cancel()
	select {
	case <-runnerDone:
	case <-ctx.Done():
	}
	s.hub.Close()
	s.fresh.close()
	err := s.http.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		return wrapDrain(err)
	}
	s.config.Logger.Warn("some requests did not end in time and are cut", "after", s.end.drain)
	s.withdraw(errStopping)
	last, stop := context.WithTimeout(context.Background(), s.end.withdraw)
	defer stop()
	if err := s.http.Shutdown(last); !errors.Is(err, context.DeadlineExceeded) {
		return wrapDrain(err)
	}
	return wrapDrain(s.http.Close())
}

func wrapDrain(err error) error {
	if err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}
