// Package remote fetches the files that configurations include by address.
//
// Everybody who may push can name an address, and the server asks for it from
// where it stands, so a Fetcher guards the network around it: it connects only
// to addresses of the public internet, unless it is told otherwise. What counts
// is the address that a connection is made to, not the name, and every redirect
// is checked anew, so a name that changes its meaning gains nothing.
//
// A fetch has a time and a size, sends no credentials of the server, and is
// remembered for a short while by its address: a busy project does not ask the
// same question a thousand times, and an address that is down does not hold up
// everybody.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// Config says how to fetch. The zero value of a field means its default.
type Config struct {
	AllowPrivate bool              // connect to addresses that are not of the public internet
	Timeout      time.Duration     // of one file, default 10 s
	Life         time.Duration     // of what was fetched, default 1 minute
	FailureLife  time.Duration     // of why it could not be, default 10 s
	Transport    http.RoundTripper // instead of the guarded one, for tests
	Now          func() time.Time  // default time.Now
}

// MaxBytes is how much of a file is read. One that is longer is given one byte
// more, so that the compiler says so.
const MaxBytes = 2 << 20

const (
	maxRedirects   = 5
	maxEntries     = 256
	maxCachedBytes = 32 << 20
)

// A Fetcher fetches files. Its methods may be called from any goroutine.
type Fetcher struct {
	config Config
	client *http.Client
	flight singleflight.Group

	mu      sync.Mutex // protects all fields below
	entries map[string]entry
	bytes   int // of all entries
}

// An entry is the outcome of a fetch, as long as it counts.
type entry struct {
	content []byte
	problem *ciyaml.RemoteError
	until   time.Time
}

// New makes a Fetcher.
func New(c Config) *Fetcher {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Life == 0 {
		c.Life = time.Minute
	}
	if c.FailureLife == 0 {
		c.FailureLife = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Fetcher{config: c, entries: map[string]entry{}}
	transport := c.Transport
	if transport == nil {
		transport = f.transport()
	}
	f.client = &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	return f
}

// transport connects without a proxy, which would be asked for addresses that
// nobody checked.
func (f *Fetcher) transport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: f.config.Timeout, ControlContext: f.checkConnection}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: f.config.Timeout, ResponseHeaderTimeout: f.config.Timeout,
		MaxIdleConns: 16, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
	}
}

// errBlocked is a connection that must not be made.
var errBlocked = errors.New("address is not of the public internet")

// checkConnection sees the very address that is about to be connected to.
func (f *Fetcher) checkConnection(_ context.Context, _, address string, _ syscall.RawConn) error {
	if f.config.AllowPrivate {
		return nil
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil || !Public(target.Addr()) || !usualPort(target.Port()) {
		return errBlocked
	}
	return nil
}

// usualPort reports whether web servers live there: the ports of other services
// must not be made to answer.
func usualPort(port uint16) bool { return port == 80 || port == 443 || port >= 1024 }

func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return errors.New("too many redirects")
	case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || via[0].URL.Scheme == "https"):
		return errors.New("redirect to another protocol")
	}
	return nil
}

// Fetch returns what is at an http or https address, from memory if it was asked
// for a moment ago. The error is a *ciyaml.RemoteError, or that of ctx.
func (f *Fetcher) Fetch(ctx context.Context, address string) ([]byte, error) {
	if e, ok := f.known(address); ok {
		return e.outcome()
	}
	done := f.flight.DoChan(address, func() (any, error) {
		// Others may wait for this: it must not end with whoever came first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.config.Timeout)
		defer cancel()
		return f.keep(address, f.ask(ctx, address)), nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-done:
		return result.Val.(entry).outcome()
	}
}

func (e entry) outcome() ([]byte, error) {
	if e.problem != nil {
		return nil, e.problem
	}
	return e.content, nil
}

// known finds an outcome that still counts.
func (f *Fetcher) known(address string) (entry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[address]
	return e, ok && f.config.Now().Before(e.until)
}

// keep remembers an outcome. When there are too many, those that count no longer
// go, or else all of them.
func (f *Fetcher) keep(address string, e entry) entry {
	now := f.config.Now()
	e.until = now.Add(f.config.Life)
	if e.problem != nil {
		e.until = now.Add(f.config.FailureLife)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(address)
	if f.full(e) {
		for old, kept := range f.entries {
			if !now.Before(kept.until) {
				f.drop(old)
			}
		}
	}
	if f.full(e) {
		clear(f.entries)
		f.bytes = 0
	}
	f.entries[address] = e
	f.bytes += len(e.content)
	return e
}

// full reports whether there is no room for e; the caller holds mu.
func (f *Fetcher) full(e entry) bool {
	return len(f.entries) >= maxEntries || f.bytes+len(e.content) > maxCachedBytes
}

// drop forgets an address; the caller holds mu.
func (f *Fetcher) drop(address string) {
	f.bytes -= len(f.entries[address].content)
	delete(f.entries, address)
}

// ask makes the request.
func (f *Fetcher) ask(ctx context.Context, address string) entry {
	problem := func(text string) entry { return entry{problem: &ciyaml.RemoteError{Problem: text}} }
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return problem("does not have a valid address!")
	}
	request.Header.Set("User-Agent", "Lanyard")
	response, err := f.client.Do(request)
	if err != nil {
		return problem(explain(err))
	}
	defer response.Body.Close() //nolint:errcheck // nothing is written
	if response.StatusCode != http.StatusOK {
		return problem("could not be fetched because of HTTP code `" + strconv.Itoa(response.StatusCode) + "` error!")
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, MaxBytes+1))
	if err != nil {
		return problem(explain(fmt.Errorf("read: %w", err)))
	}
	return entry{content: content}
}

// explain words why a request failed.
func explain(err error) string {
	var network net.Error
	var op *net.OpError
	switch {
	case errors.Is(err, errBlocked):
		return ciyaml.RemoteBlocked
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return ciyaml.RemoteTimeout
	case errors.As(err, &op):
		return ciyaml.RemoteSocket
	}
	return ciyaml.RemoteHTTP
}
