package script

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lanyard-ci/lanyard/e2e/process"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// A topology is what a script runs against.
type topology int

const (
	sqlite     topology = iota // one server
	onPostgres                 // one server
	replicas                   // two servers on one PostgreSQL, which get the requests in turn
)

// String names the topology among the tests.
func (t topology) String() string { return [...]string{"SQLite", "PostgreSQL", "replicas"}[t] }

// database is the word for the database in answers.
func (t topology) database() string { return [...]string{"SQLite", "PostgreSQL", "PostgreSQL"}[t] }

// servers is how many there are.
func (t topology) servers() int { return [...]int{1, 1, 2}[t] }

// newDatabase makes a database with the present schema.
func newDatabase(t testing.TB) string {
	return postgres.Copy(t, "migrated", func(url string) error {
		db, err := store.Open(t.Context(), store.Config{URL: url})
		if err != nil {
			return err
		}
		return db.Close()
	})
}

// startServers starts the servers of the topology on the script's data.
func (s *session) startServers(ts *testscript.TestScript, args []string) {
	if s.on != sqlite && s.url == "" {
		s.url = newDatabase(s.t)
	}
	if s.on == replicas {
		if s.front == nil {
			s.front = newFront(s.t)
		}
		if !slices.Contains(args, "--external-url") {
			args = append([]string{"--external-url", s.front.server.URL}, args...)
		}
	}
	s.servers = nil
	for range s.on.servers() {
		s.servers = append(s.servers, process.StartOn(s.t, s.data, s.url, args...))
	}
	s.server = s.servers[0]
	if s.front != nil {
		ts.Check(s.front.to(s.servers))
		path := s.front.targets.Load().urls[0].Path
		s.server.URL = s.front.server.URL + strings.TrimSuffix(path, "/")
	}
}

// A front stands before servers and gives each the next request.
type front struct {
	server  *httptest.Server
	targets atomic.Pointer[targets]
	count   atomic.Int64
}

// targets are the addresses of servers.
type targets struct{ urls []*url.URL }

func newFront(t testing.TB) *front {
	f := &front{}
	f.server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			urls := f.targets.Load().urls
			to := urls[f.count.Add(1)%int64(len(urls))]
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(f.server.Close)
	return f
}

// to names the servers that requests go to from now on.
func (f *front) to(servers []*process.Server) error {
	next := &targets{}
	for _, server := range servers {
		address, err := url.Parse(server.URL)
		if err != nil {
			return err
		}
		next.urls = append(next.urls, address)
	}
	f.targets.Store(next)
	return nil
}
