package postgres

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Relay stands between a program and a Cluster, and loses connections at the moments
// that matter: around a statement that writes.
type Relay struct {
	tb       testing.TB
	url      string // of the database, by way of the Relay
	server   string // address of the cluster
	listener net.Listener
	running  sync.WaitGroup
	done     chan struct{} // closed by close

	mu     sync.Mutex // protects all fields below
	closed bool
	links  map[*link]bool
	next   *Cut // waits for its statement; nil: none
}

// A Moment is when the connections of a Relay are lost.
type Moment int

// The moments around a statement.
const (
	Unsent     Moment = iota // PostgreSQL never gets the statement
	Unanswered               // PostgreSQL has committed, and the answer is lost
	InFlight                 // the program loses its connection, and PostgreSQL gets the statement when Release is called
)

// A Cut is one loss of all connections that go through a Relay. New ones can be made
// at once.
type Cut struct {
	moment   Moment
	text     []byte
	lost     chan struct{} // closed when the connections are lost
	over     chan struct{} // closed when PostgreSQL has carried out the statement, or never will
	released chan struct{}
	release  sync.Once
	err      error // set before over is closed
}

// Lost is closed when the connections are lost.
func (c *Cut) Lost() <-chan struct{} { return c.lost }

// Wait returns when PostgreSQL has carried out the statement, or will never get it. A
// server that ended before is an error.
func (c *Cut) Wait() error {
	<-c.over
	return c.err
}

// Release sends a statement on its way that is InFlight.
func (c *Cut) Release() { c.release.Do(func() { close(c.released) }) }

// NewRelay makes a Relay to the database at a URL. It ends with the test.
func NewRelay(tb testing.TB, database string) *Relay {
	tb.Helper()
	u, err := url.Parse(database)
	if err != nil {
		tb.Fatal("the URL of the database cannot be read")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Relay{tb: tb, server: u.Host, listener: listener, done: make(chan struct{}), links: map[*link]bool{}}
	u.Host = listener.Addr().String()
	r.url = u.String()
	r.running.Go(r.accept)
	tb.Cleanup(r.close)
	return r
}

// URL is the database by way of the Relay.
func (r *Relay) URL() string { return r.url }

// Cut loses all connections around the next statement that holds text.
func (r *Relay) Cut(moment Moment, text string) *Cut {
	c := &Cut{moment: moment, text: []byte(text), lost: make(chan struct{}), over: make(chan struct{}), released: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = c
	return c
}

func (r *Relay) accept() {
	for {
		program, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			program.Close() // as if nobody listened
			continue
		}
		if l := newLink(r, program, server); r.add(l) {
			r.running.Go(l.up)
			r.running.Go(l.down)
		}
	}
}

// add counts a connection, unless the Relay is closed.
func (r *Relay) add(l *link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		l.program.Close()
		l.server.Close()
		return false
	}
	r.links[l] = true
	return true
}

// Lose ends all connections at once. New ones can be made.
func (r *Relay) Lose() { r.lose(nil) }

// lose ends all connections, but for the server's side of one.
func (r *Relay) lose(but *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range r.links {
		l.program.Close()
		if l != but {
			l.server.Close()
		}
	}
}

// forget is the opposite of add.
func (r *Relay) forget(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.links, l)
}

// take gives the Cut that waits for one of some statements.
func (r *Relay) take(statements [][]byte) *Cut {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, statement := range statements {
		if c := r.next; c != nil && bytes.Contains(statement, c.text) {
			r.next = nil
			return c
		}
	}
	return nil
}

func (r *Relay) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	close(r.done)
	err := r.listener.Close()
	r.lose(nil)
	r.running.Wait()
	if err != nil {
		r.tb.Error(err)
	}
}
