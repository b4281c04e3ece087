package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// announce says that requests are accepted.
func (s *Server) announce(ctx context.Context) error {
	if err := s.writeReady(); err != nil {
		return err
	}
	addr, ok := s.listener.Addr().(*net.TCPAddr)
	if ok && addr.IP.IsUnspecified() && s.config.ExternalURL == "" {
		s.config.Logger.WarnContext(ctx, "links lead to this machine only: set --external-url to what others call it", "url", s.URL())
	}
	if host := s.urls.External.Hostname(); s.cert != nil && s.config.ExternalURL == "" && !s.cert.names(host) {
		s.config.Logger.WarnContext(ctx, "links lead to a name that the certificate does not have: set --external-url to one that it has", "url", s.URL())
	}
	s.config.Logger.InfoContext(ctx, "ready", "url", s.URL(), "listen", s.Listen())
	return nil
}

// removeReady removes a ready file that an earlier process left: whoever waits for
// this one must not take it for its own.
func (s *Server) removeReady() error {
	if s.config.ReadyFile == "" {
		return nil
	}
	if err := os.Remove(s.config.ReadyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usage("ready file: %v", err)
	}
	return nil
}

// writeReady tells whoever waits for it that requests are accepted. The file is
// whole when it appears.
func (s *Server) writeReady() (err error) {
	if s.config.ReadyFile == "" {
		return nil
	}
	data, err := json.Marshal(map[string]any{"url": s.LocalURL(), "pid": os.Getpid()})
	if err != nil {
		return fmt.Errorf("encode ready file: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(s.config.ReadyFile), ".ready-*")
	if err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	_, err = file.Write(append(data, '\n'))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), s.config.ReadyFile)
	}
	if err != nil {
		return fmt.Errorf("write ready file: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}
