package daemon

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/hub"
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
	http     *http.Server
	draining atomic.Bool
	fresh    freshConns
}

// withDefaults fills what may be left out.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8929"
	}
	return c
}

// Start opens the data, makes the first administrator if there is nobody yet, and
// listens; requests are answered from Run on. Errors: *UsageError for what whoever
// starts it can mend, *store.NewerError for a database of a newer version.
func Start(ctx context.Context, c Config) (s *Server, err error) {
	c = c.withDefaults()
	s = &Server{config: c, hub: hub.New(newNonce())}
	if s.state, err = openState(ctx, c); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.state.close())
		}
	}()
	if s.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return nil, usage("%v", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.listener.Close())
		}
	}()
	if s.urls, err = externalURLs(c, s.listener.Addr()); err != nil {
		return nil, err
	}
	s.engine, err = engine.New(engine.Config{
		Store: s.state.store, Git: s.state.git, Blobs: s.state.blobs, Traces: s.state.logs, Hub: s.hub,
		Keys: s.state.keys, Now: c.Now, Rand: rand.Reader, Logger: c.Logger, URLs: s.urls,
	})
	if err != nil {
		return nil, err
	}
	if err := s.engine.Bootstrap(ctx, c.RootPassword, c.RootToken); err != nil {
		return nil, fmt.Errorf("make first administrator: %w", err)
	}
	if err := s.refuseOpenDoor(ctx); err != nil {
		return nil, err
	}
	if err := s.engine.CompareRefs(ctx); err != nil {
		return nil, err
	}
	if s.http, err = s.httpServer(); err != nil {
		return nil, err
	}
	return s, nil
}

// externalURLs takes the external URL, or makes one from the address.
func externalURLs(c Config, addr net.Addr) (wire.URLs, error) {
	external := c.ExternalURL
	if external == "" {
		external = "http://" + addr.String()
	}
	urls, err := wire.ParseURLs(external)
	if err != nil {
		return wire.URLs{}, usage("%v", err)
	}
	return urls, nil
}

// refuseOpenDoor refuses to listen to others while there is no administrator:
// whoever came first could become it.
func (s *Server) refuseOpenDoor(ctx context.Context) error {
	addr, err := netip.ParseAddrPort(s.listener.Addr().String())
	if err != nil {
		return fmt.Errorf("parse own address: %w", err)
	}
	if addr.Addr().IsLoopback() {
		return nil
	}
	has, err := s.engine.HasAdministrator(ctx)
	if err != nil {
		return err
	}
	if !has {
		return usage("refusing to listen on %s before an administrator exists.\n"+
			"       Set LANYARD_ROOT_PASSWORD or LANYARD_ROOT_TOKEN, or start it on 127.0.0.1 first.", s.config.Listen)
	}
	return nil
}

// httpServer sets the time limits that every route shares; routes that upload,
// wait or stream have their own.
func (s *Server) httpServer() (*http.Server, error) {
	handler, err := s.handler()
	if err != nil {
		return nil, err
	}
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnState: s.fresh.track,
		ErrorLog:  slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
	}, nil
}

// URL is what links start with.
func (s *Server) URL() string { return s.urls.Base() }

// LocalURL reaches the server from this machine, whatever stands before it.
func (s *Server) LocalURL() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil { // a listener's address is well formed
		return s.URL()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + s.urls.Prefix()
}

// Data is the data directory.
func (s *Server) Data() string { return s.config.Data }

// drainTime is how long running requests may take at the end.
const drainTime = 15 * time.Second

// Run serves until ctx ends, then drains: long polls are answered at once, other
// requests may finish, jobs of the built-in runner are ended and reported. It
// returns when everything has stopped and the data is closed.
func (s *Server) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.state.close()) }()
	group, running := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error { return s.engine.Run(running) })
	runnerDone := make(chan struct{})
	group.Go(func() error {
		defer close(runnerDone)
		return s.runRunner(running)
	})
	group.Go(func() error {
		<-running.Done()
		s.draining.Store(true)
		<-runnerDone // its last reports need the server
		s.hub.Close()
		s.fresh.close()
		drain, cancel := context.WithTimeout(serving, drainTime)
		defer cancel()
		return s.http.Shutdown(drain)
	})
	if err := s.writeReady(); err != nil {
		s.config.Logger.ErrorContext(ctx, "write ready file", "error", err)
	}
	s.config.Logger.InfoContext(ctx, "ready", "url", s.URL(), "listen", s.listener.Addr().String())
	return group.Wait()
}

// writeReady tells whoever waits for it that requests are accepted.
func (s *Server) writeReady() error {
	if s.config.ReadyFile == "" {
		return nil
	}
	data, err := json.Marshal(map[string]any{"url": s.LocalURL(), "pid": os.Getpid()})
	if err != nil {
		return fmt.Errorf("encode ready file: %w", err)
	}
	temporary := filepath.Join(filepath.Dir(s.config.ReadyFile), fmt.Sprintf(".ready-%d", os.Getpid()))
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	return os.Rename(temporary, s.config.ReadyFile)
}

// newNonce tells this process from every other one in the cursors of long polls.
func newNonce() string { return rand.Text() }
