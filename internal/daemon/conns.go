package daemon

import (
	"net"
	"net/http"
	"sync"
)

// freshConns are connections on which no request has come yet. Clients open them
// in advance; http.Server.Shutdown waits five seconds for each to say something.
type freshConns struct {
	mu     sync.Mutex // protects all fields below
	conns  map[net.Conn]struct{}
	closed bool
}

// track is the server's ConnState hook.
func (f *freshConns) track(conn net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state != http.StateNew {
		delete(f.conns, conn)
		return
	}
	if f.closed {
		conn.Close()
		return
	}
	if f.conns == nil {
		f.conns = map[net.Conn]struct{}{}
	}
	f.conns[conn] = struct{}{}
}

// close closes them: nobody loses a request by it.
func (f *freshConns) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for conn := range f.conns {
		conn.Close()
	}
}
