package daemon

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDrainWithIdleConnections holds that connections on which nothing happens do
// not delay the end: one that was kept alive, and one that was never used.
func TestDrainWithIdleConnections(t *testing.T) {
	s := started(t, config(t))
	stop := running(t, s)
	kept := dial(t, s)
	fmt.Fprint(kept, "GET /-/liveness HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(kept), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %v, error %v", resp, err)
	}
	unused := dial(t, s)
	for begun := time.Now(); len(s.fresh.list()) == 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the unused connection was not noticed")
		}
	}
	begun := time.Now()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("the end took %v", took)
	}
	for name, conn := range map[string]net.Conn{"kept": kept, "unused": unused} {
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset") {
			t.Errorf("the %s connection: %v, want its end", name, err)
		}
	}
}

// TestDrainCutsRequests holds that a request that never ends does not keep the
// server from ending, and that this is no failure.
func TestDrainCutsRequests(t *testing.T) {
	c := config(t)
	c.RootToken = "glpat-0123456789abcdefghij"
	s := started(t, c)
	s.end = endTimes{drain: 300 * time.Millisecond, withdraw: 300 * time.Millisecond}
	begun := requests(s)
	stop := running(t, s)
	conn := dial(t, s)
	// The body that is promised never comes.
	fmt.Fprintf(conn, "POST /api/v4/projects HTTP/1.1\r\nHost: x\r\nPRIVATE-TOKEN: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", c.RootToken)
	<-begun
	since := time.Now()
	if err := stop(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if took := time.Since(since); took > 10*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// TestDrainAnswersWhatRuns holds that a request that ends in time is answered.
func TestDrainAnswersWhatRuns(t *testing.T) {
	s := started(t, config(t))
	begun := requests(s)
	stop := running(t, s)
	conn := dial(t, s)
	fmt.Fprint(conn, "POST /api/v4/projects/1/trigger/pipeline HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n")
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for begun := time.Now(); !s.draining.Load(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the end did not begin")
		}
	}
	fmt.Fprint(conn, `{"token":"nope","ref":"main"}`[:28])
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request that was under way got no answer: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", resp.Status)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// requests tells of each request that has reached its handler. Call it before the
// server runs. The state of its connection would tell too early: net/http drops a
// request that it has read when the end begins before it looks for it.
func requests(s *Server) <-chan struct{} {
	begun := make(chan struct{}, 8)
	answer := s.http.Handler
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		answer.ServeHTTP(w, r)
	})
	return begun
}

func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listen())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// list gives the connections on which no request has come yet.
func (f *freshConns) list() []net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []net.Conn
	for conn := range f.conns {
		all = append(all, conn)
	}
	return all
}
