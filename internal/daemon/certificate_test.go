package daemon

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A pair is a certificate that signs itself, and its key, in PEM form.
type pair struct{ cert, key []byte }

// newPair makes a pair for 127.0.0.1 and ci.test.
func newPair(t *testing.T, serial int64, until time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "ci.test"}, DNSNames: []string{"ci.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}
}

func tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

// write writes files of a folder.
func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// secured is the configuration of a server that speaks https.
func secured(t *testing.T, p pair) Config {
	t.Helper()
	dir, c := t.TempDir(), config(t)
	write(t, dir, map[string][]byte{"cert.pem": p.cert, "key.pem": p.key})
	c.TLSCert, c.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return c
}

func TestCertificateRefuses(t *testing.T) {
	good, other := newPair(t, 1, tomorrow()), newPair(t, 2, tomorrow())
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for _, test := range []struct {
		name   string
		change func(*Config, string)
		files  map[string][]byte
		want   []string
	}{
		{"no key", func(c *Config, _ string) { c.TLSKey = "" }, nil, []string{"--tls-cert ", "cert.pem", "needs --tls-key FILE"}},
		{"no certificate", func(c *Config, _ string) { c.TLSCert = "" }, nil, []string{"--tls-key ", "key.pem", "needs --tls-cert FILE"}},
		{"a certificate that is not there", func(c *Config, dir string) { c.TLSCert = dir + "/none" }, nil, []string{"--tls-cert: open ", "/none"}},
		{"a key that is not there", func(c *Config, dir string) { c.TLSKey = dir + "/none" }, nil, []string{"--tls-key: open ", "/none"}},
		{"files changed over", func(c *Config, _ string) { c.TLSCert, c.TLSKey = c.TLSKey, c.TLSCert }, nil, []string{"--tls-cert: ", "key.pem holds no certificate"}},
		{"no PEM", nil, map[string][]byte{"cert.pem": []byte("x")}, []string{"--tls-cert: ", "cert.pem holds no certificate"}},
		{"a key that is empty", nil, map[string][]byte{"key.pem": nil}, []string{"--tls-key: ", "key.pem holds no private key"}},
		{"a passphrase", nil, map[string][]byte{"key.pem": encrypted}, []string{"--tls-key: ", "key.pem is encrypted"}},
		{"another's key", nil, map[string][]byte{"key.pem": other.key}, []string{"--tls-cert ", "--tls-key ", "do not go together"}},
		{"a file without end", func(c *Config, _ string) { c.TLSKey = "/dev/zero" }, nil, []string{"--tls-key: /dev/zero is larger"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := secured(t, good)
			dir := filepath.Dir(c.TLSCert)
			write(t, dir, test.files)
			if test.change != nil {
				test.change(&c, dir)
			}
			for _, want := range test.want {
				refused(t, c, want)
			}
			if _, err := Start(t.Context(), c); strings.Contains(err.Error(), string(good.key[30:60])) {
				t.Errorf("the key is shown: %v", err)
			}
		})
	}
}

// seen connects and gives the serial number of the certificate, and what was spoken.
func seen(t *testing.T, s *Server, config *tls.Config) (serial string, state tls.ConnectionState, err error) {
	t.Helper()
	config.InsecureSkipVerify = true
	conn, err := tls.Dial("tcp", s.Listen(), config)
	if err != nil {
		return "", state, err
	}
	defer conn.Close()
	state = conn.ConnectionState()
	return state.PeerCertificates[0].SerialNumber.String(), state, nil
}

func TestServesTLS(t *testing.T) {
	c := secured(t, newPair(t, 7, tomorrow()))
	s := started(t, c)
	stop := running(t, s)
	if got, want := s.URL(), "https://"+s.Listen(); got != want || s.LocalURL() != want {
		t.Errorf("links start with %s, local %s, want %s", got, s.LocalURL(), want)
	}
	client := s.LocalClient()
	defer client.CloseIdleConnections()
	resp, err := client.Get(s.LocalURL() + "/-/readiness")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("got %d by HTTP/%d, want 200 by HTTP/2", resp.StatusCode, resp.ProtoMajor)
	}
	if _, _, err := seen(t, s, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if _, state, err := seen(t, s, &tls.Config{MaxVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}); err != nil || state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("TLS 1.2 with HTTP/1.1: %q, error %v", state.NegotiatedProtocol, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestOwnClientTrustsNobodyElse holds that the client for the local address is no
// client for whatever may answer there.
func TestOwnClientTrustsNobodyElse(t *testing.T) {
	s := started(t, secured(t, newPair(t, 1, tomorrow())))
	other := started(t, secured(t, newPair(t, 2, tomorrow())))
	stop := running(t, other)
	client := s.LocalClient()
	defer client.CloseIdleConnections()
	if resp, err := client.Get(other.LocalURL() + "/-/liveness"); err == nil {
		resp.Body.Close()
		t.Error("it took another server for its own")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// lines counts what is logged.
type lines struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), words)
}

// TestCertificateFollowsFiles holds that a new pair is served from the next
// connection on, and that one that cannot be served changes nothing and is reported
// once, after it has stayed for two looks.
func TestCertificateFollowsFiles(t *testing.T) {
	first, second := newPair(t, 1, tomorrow()), newPair(t, 2, tomorrow())
	log := &lines{}
	c := secured(t, first)
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	s := started(t, c)
	s.cert.every = time.Hour // the test looks itself
	stop := running(t, s)
	dir := filepath.Dir(c.TLSCert)
	for _, step := range []struct {
		name       string
		files      map[string][]byte
		looks      int
		serial     string
		news, woes int // all lines so far
	}{
		{"nothing happens", nil, 3, "1", 0, 0},
		{"the certificate comes before its key", map[string][]byte{"cert.pem": second.cert}, 1, "1", 0, 0},
		{"its key comes", map[string][]byte{"key.pem": second.key}, 3, "2", 1, 0},
		{"a pair that does not go together", map[string][]byte{"key.pem": first.key}, 5, "2", 1, 1},
		{"another that does not", map[string][]byte{"cert.pem": []byte("half a cert")}, 5, "2", 1, 2},
		{"a good one again", map[string][]byte{"cert.pem": first.cert}, 3, "1", 2, 2},
	} {
		write(t, dir, step.files)
		for range step.looks {
			s.cert.look()
		}
		serial, _, err := seen(t, s, &tls.Config{})
		got := fmt.Sprint(serial, err, log.count("serving a new certificate"), log.count("cannot be used"))
		if want := fmt.Sprint(step.serial, nil, step.news, step.woes); got != want {
			t.Errorf("%s: got %s, want %s (serial, error, lines of news, of woes)", step.name, got, want)
		}
	}
	if err := os.Remove(c.TLSKey); err != nil {
		t.Fatal(err)
	}
	s.cert.look()
	s.cert.look()
	if got := log.count("--tls-key: open "); got != 1 {
		t.Errorf("a key that was removed is reported %d times, want once", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestCertificateOfAnotherName holds that somebody is told whose links nobody can
// follow, and only they.
func TestCertificateOfAnotherName(t *testing.T) {
	for listen, want := range map[string]int{"127.0.0.1:0": 0, "[::1]:0": 1} {
		log := &lines{}
		c := secured(t, newPair(t, 1, tomorrow()))
		c.Listen, c.Logger = listen, slog.New(slog.NewTextHandler(log, nil))
		s := started(t, c)
		if err := s.announce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := log.count("the certificate does not have"); got != want {
			t.Errorf("%s: got %d warnings, want %d", listen, got, want)
		}
	}
}

func TestExpiredCertificateIsReported(t *testing.T) {
	log := &lines{}
	c := secured(t, newPair(t, 1, time.Now().Add(-time.Hour)))
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	started(t, c)
	if log.count("has expired") != 1 {
		t.Error("nothing says that the certificate has expired")
	}
}

// TestPrivateCertificate holds which certificates jobs must be told to trust.
func TestPrivateCertificate(t *testing.T) {
	s := started(t, secured(t, newPair(t, 1, tomorrow())))
	for host, want := range map[string]bool{"ci.test": true, "127.0.0.1": true, "elsewhere.test": false} {
		if got := s.cert.private(host); got != want {
			t.Errorf("private for %s: got %t, want %t", host, got, want)
		}
	}
}
