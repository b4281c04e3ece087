package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/remote"
	"github.com/lanyard-ci/lanyard/internal/runner"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// A Server is a server that listens. Start makes it, Run serves.
type Server struct {
	config   Config
	state    *state
	hub      *hub.Hub
	engine   *engine.Engine
	urls     wire.URLs
	listener net.Listener
	cert     *certificate // nil: plain http
	http     *http.Server
	withdraw context.CancelCauseFunc // ends requests that are being answered
	runner   *runner.Runner          // nil: off
	draining atomic.Bool             // the end has begun
	notices  *store.Notices          // to and from other servers; nil: there are none
	fresh    freshConns
	end      endTimes
}

// Start opens the data, makes the first administrator if there is nobody yet, and
// listens; requests are answered from Run on. Errors: *UsageError for what whoever
// starts it can mend, *store.NewerError for a database of a newer version.
func Start(ctx context.Context, c Config) (*Server, error) {
	s := &Server{config: c.withDefaults(), hub: hub.New(newNonce()), end: defaultEnd}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// open does what Start does. After an error, close closes what is open by then.
func (s *Server) open(ctx context.Context) (err error) {
	c := s.config
	if err := c.validate(); err != nil {
		return err
	}
	if c.TLSCert != "" {
		if s.cert, err = loadCertificate(c); err != nil {
			return err
		}
	}
	if s.state, err = openState(ctx, c); err != nil {
		return err
	}
	if err := s.removeReady(); err != nil {
		return err
	}
	if err := refuseOpenDoor(ctx, c, s.state.store.View()); err != nil {
		return err
	}
	if s.listener, err = listen(ctx, c); err != nil {
		return err
	}
	if s.urls, err = externalURLs(c, s.listener.Addr()); err != nil {
		return err
	}
	if c.DatabaseURL != "" {
		if s.notices, err = s.state.store.Notices(); err != nil {
			return err
		}
		if s.config.Version.Database, err = s.notices.Version(ctx); err != nil {
			return err
		}
	}
	if err := s.openEngine(ctx); err != nil {
		return err
	}
	c.metrics.Watch(s.sources())
	if s.http, err = s.httpServer(ctx); err != nil {
		return err
	}
	s.runner, err = s.newRunner(ctx)
	return err
}

// openEngine makes the engine, the first administrator, and the table of refs what
// the repositories say.
func (s *Server) openEngine(ctx context.Context) (err error) {
	c := s.config
	s.engine, err = engine.New(engine.Config{
		Store: s.state.store, Git: s.state.git, Blobs: s.state.blobs, Traces: s.state.logs, Hub: s.hub,
		Keys: s.state.keys, Now: c.Now, Rand: rand.Reader, Logger: c.Logger, URLs: s.urls, Told: told(c.metrics), SweepQueues: c.sweepQueues,
		Remote: remote.New(remote.Config{AllowPrivate: c.LocalIncludes}),
	})
	if err != nil {
		return err
	}
	err = s.engine.Bootstrap(ctx, c.RootPassword, c.RootToken)
	if ci.KindOf(err) == ci.KindInvalid {
		return usage("first administrator: %v", err)
	}
	if err != nil {
		return fmt.Errorf("make first administrator: %w", err)
	}
	return s.engine.CompareRefs(ctx)
}

// httpServer sets the time limits that every route shares; routes that upload,
// wait or stream have their own. Requests outlive ctx, so that they can be drained.
func (s *Server) httpServer(ctx context.Context) (*http.Server, error) {
	handler, err := s.handler()
	if err != nil {
		return nil, err
	}
	requests, withdraw := context.WithCancelCause(context.WithoutCancel(ctx))
	s.withdraw = withdraw
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnState:   s.fresh.track,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
	}
	if s.cert != nil {
		server.TLSConfig = s.cert.config()
	}
	return server, nil
}

// URL is what links start with.
func (s *Server) URL() string { return s.urls.Base() }

// LocalURL reaches the server from this machine, whatever stands before it.
func (s *Server) LocalURL() string {
	return s.config.scheme() + "://" + reachable(s.listener.Addr()) + s.urls.Prefix()
}

// LocalClient makes requests to LocalURL, whose address the certificate of the
// server need not name.
func (s *Server) LocalClient() *http.Client {
	if s.cert == nil {
		return &http.Client{}
	}
	return s.cert.own()
}

// Listen is the address that the server listens on.
func (s *Server) Listen() string { return s.listener.Addr().String() }

// Data is the data directory; created says that this start made the database in it.
func (s *Server) Data() (dir string, created bool) { return s.config.Data, s.state.fresh }

// Run serves until ctx ends, then drains: long polls are answered at once, other
// requests may finish, jobs of the built-in runner are ended and reported. It
// returns when everything has stopped and the data is closed, with nil after a
// drain, whether or not some request had to be cut.
func (s *Server) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.serve(); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error { return s.engine.Run(running) })
	stopLink := s.startLink(ctx)
	if s.cert != nil {
		group.Go(func() error { return s.cert.follow(running) })
	}
	runnerDone := make(chan struct{})
	group.Go(func() error {
		defer close(runnerDone)
		if s.runner == nil {
			return nil
		}
		return s.runner.Run(running)
	})
	group.Go(func() error {
		<-running.Done()
		defer stopLink()
		return s.drain(runnerDone)
	})
	group.Go(func() error { return s.announce(ctx) })
	return group.Wait()
}

// serve answers requests until the server is shut down.
func (s *Server) serve() error {
	if s.cert != nil {
		return s.http.ServeTLS(s.listener, "", "")
	}
	return s.http.Serve(s.listener)
}

// startLink joins the hub to those of other servers, until stop is called: what
// requests do while the server drains is told too.
func (s *Server) startLink(ctx context.Context) (stop func()) {
	if s.notices == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		s.hub.Run(ctx, hub.Link{Send: s.notices.Send, Receive: s.notices.Receive, Logger: s.config.Logger})
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// close closes what open opened, once.
func (s *Server) close() error {
	var problems []error
	if s.withdraw != nil {
		s.withdraw(errStopping)
	}
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			problems = append(problems, err)
		}
	}
	if s.notices != nil {
		problems = append(problems, s.notices.Close())
	}
	if s.state != nil {
		problems = append(problems, s.state.close())
		s.state = nil
	}
	return errors.Join(problems...)
}

// newNonce tells this process from every other one in the cursors of long polls.
func newNonce() string { return rand.Text() }
