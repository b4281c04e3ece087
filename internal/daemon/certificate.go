package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A certificate is the pair of --tls-cert and --tls-key. Programs that renew one
// replace its files; the pair that is served follows them without a restart.
type certificate struct {
	certFile, keyFile string
	now               ci.Clock
	log               *slog.Logger
	every             time.Duration // between two looks at the files
	served            atomic.Pointer[tls.Certificate]

	// used only in the goroutine of follow, and before it
	last    pairFiles // that was looked at
	settled bool      // last was the same at two looks, so all has been said of it
}

// pairFiles are the two files as they are on disk.
type pairFiles struct {
	cert, key []byte
	err       error // why one cannot be read, naming its flag
}

func (p pairFiles) equal(other pairFiles) bool {
	return bytes.Equal(p.cert, other.cert) && bytes.Equal(p.key, other.key) && (p.err == nil) == (other.err == nil)
}

// certificateEvery is how often the files are looked at.
const certificateEvery = 2 * time.Second

// maxPair bounds each of the two files, in bytes.
const maxPair = 1 << 20

// loadCertificate reads the pair. Errors are *UsageError and name the flag and the
// file; none shows what is in the key.
func loadCertificate(c Config) (*certificate, error) {
	cert := &certificate{certFile: c.TLSCert, keyFile: c.TLSKey, now: c.Now, log: c.Logger, every: certificateEvery, settled: true}
	cert.last = cert.read()
	pair, err := cert.parse(cert.last)
	if err != nil {
		return nil, usage("%v", err)
	}
	cert.serve(pair)
	return cert, nil
}

func (c *certificate) read() (p pairFiles) {
	if p.cert, p.err = readBounded("--tls-cert", c.certFile); p.err == nil {
		p.key, p.err = readBounded("--tls-key", c.keyFile)
	}
	return p
}

func readBounded(flag, name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPair+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	case len(data) > maxPair:
		return nil, fmt.Errorf("%s: %s is larger than %d bytes", flag, name, maxPair)
	}
	return data, nil
}

// parse makes a pair of the files, and says which of them is at fault.
func (c *certificate) parse(p pairFiles) (*tls.Certificate, error) {
	if p.err != nil {
		return nil, p.err
	}
	if !hasBlock(p.cert, func(kind string) bool { return kind == "CERTIFICATE" }) {
		return nil, fmt.Errorf("--tls-cert: %s holds no certificate in PEM form", c.certFile)
	}
	if !hasBlock(p.key, func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }) {
		return nil, fmt.Errorf("--tls-key: %s holds no private key in PEM form", c.keyFile)
	}
	if hasBlock(p.key, func(kind string) bool { return kind == "ENCRYPTED PRIVATE KEY" }) {
		return nil, fmt.Errorf("--tls-key: the key in %s is encrypted; write it without a passphrase, readable by the server alone", c.keyFile)
	}
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s and --tls-key %s do not go together: %w", c.certFile, c.keyFile, err)
	}
	return &pair, nil
}

func hasBlock(data []byte, is func(kind string) bool) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if is(block.Type) {
			return true
		}
	}
	return false
}

// serve makes new connections see the pair.
func (c *certificate) serve(pair *tls.Certificate) {
	c.served.Store(pair)
	if until := pair.Leaf.NotAfter; c.now().After(until) {
		c.log.Warn("the certificate of --tls-cert has expired", "file", c.certFile, "not_after", until)
	}
}

// follow looks at the files until ctx ends.
func (c *certificate) follow(ctx context.Context) error {
	ticks := time.NewTicker(c.every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			c.look()
		}
	}
}

// look serves a new pair. One that cannot be served leaves the old one in place and
// is reported once, when it has stayed as it is: files that are being replaced do
// not go together for a moment.
func (c *certificate) look() {
	files := c.read()
	same := files.equal(c.last)
	if same && c.settled {
		return
	}
	c.last, c.settled = files, same
	switch pair, err := c.parse(files); {
	case err == nil && !same:
		c.serve(pair)
		c.log.Info("serving a new certificate", "file", c.certFile, "not_after", pair.Leaf.NotAfter)
	case err != nil && same:
		c.log.Error("the new certificate cannot be used, the old one stays", "error", err)
	}
}

// config is what connections from outside are served with: TLS 1.2 or newer,
// HTTP/2 where the client speaks it.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.served.Load(), nil },
	}
}

// own is a client for this very server under its local address, which no
// certificate names: it accepts exactly the one that is served.
func (c *certificate) own() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.TLSClientConfig = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection is stricter
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, c.served.Load().Leaf.Raw) {
				return errors.New("another server answers at the local address")
			}
			return nil
		},
	}
	return &http.Client{Transport: transport}
}

// names reports whether the certificate that is served names a host.
func (c *certificate) names(host string) bool {
	return c.served.Load().Leaf.VerifyHostname(host) == nil
}

// private reports whether programs on this machine need to be told to trust the
// certificate when they call the server by a host name: it names the host, and
// nobody whom this machine trusts has signed it.
func (c *certificate) private(host string) bool {
	if !c.names(host) {
		return false // something in front has another one
	}
	pair := c.served.Load()
	between := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if signer, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(signer)
		}
	}
	_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Intermediates: between, CurrentTime: c.now()})
	return err != nil
}
