package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A replacement adapts the documented configuration. What it replaces must be there.
type replacement struct{ old, new string }

// documented is the configuration of nginx in docs/operate.md, adapted.
func documented(t *testing.T, changes ...replacement) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(doc), "```nginx\n")
	block, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/operate.md has no configuration of nginx")
	}
	for _, c := range changes {
		if !strings.Contains(block, c.old) {
			t.Fatalf("the documented configuration has no %q:\n%s", c.old, block)
		}
		block = strings.ReplaceAll(block, c.old, c.new)
	}
	return block
}

// frame is what nginx needs around it to run without privileges in a folder.
const frame = `worker_processes 1;
pid DIR/pid;
error_log DIR/error.log info;
events {}
http {
access_log DIR/access.log;
client_body_temp_path DIR/body;
proxy_temp_path DIR/proxy;
fastcgi_temp_path DIR/fastcgi;
uwsgi_temp_path DIR/uwsgi;
scgi_temp_path DIR/scgi;
`

// startNginx runs nginx as nobody in particular until the test ends, and waits until
// it listens on a port. Files are put beside its configuration, which finds them in
// DIR.
func startNginx(t *testing.T, port int, config string, files map[string][]byte) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program = "/usr/sbin/nginx"; !executable(program) {
			t.Fatal("there is no nginx: make setup installs it")
		}
	}
	dir, as := nginxFolder(t)
	all := map[string][]byte{"nginx.conf": []byte(strings.ReplaceAll(frame+config+"}\n", "DIR", dir))}
	for name, data := range files {
		all[name] = data
	}
	for name, data := range all {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if as != nil {
			if err := os.Chown(name, int(as.Uid), int(as.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(program, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off;")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group that it leads, with its workers
		_ = cmd.Wait()                                      // it was killed
		if t.Failed() {
			errors, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("nginx said:\n%s%s", output.String(), lastLines(string(errors), 30))
		}
	})
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			conn.Close()
			return
		}
	}
	t.Fatal("nginx does not listen")
}

func executable(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode()&0o111 != 0
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// nginxFolder makes a folder for nginx, and finds the account to run it as: not root.
func nginxFolder(t *testing.T) (dir string, as *syscall.Credential) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lanyard-nginx") // t.TempDir is for this account alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if os.Geteuid() != 0 {
		return dir, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	return dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// newPair makes a certificate for localhost that signs itself, and its key, in PEM
// form.
func newPair(t *testing.T) (cert, key []byte) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	secretDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretDER})
}

// gzipAll lets nginx pack whatever it can.
const gzipAll = "gzip on;\ngzip_types *;\ngzip_proxied any;\ngzip_min_length 1;\n"

// remove takes the path of the external URL away and leaves the rest as it was sent.
const remove = "map $request_uri $without_path { ~^%s(?<rest>/.*)$ $rest; }\n"

// nginxConfig is the documented configuration for a kind of front.
func nginxConfig(t *testing.T, k kind, port int, backend string) string {
	t.Helper()
	changes := []replacement{{"127.0.0.1:8929", backend}}
	if k.tls {
		changes = append(changes, replacement{"listen 443 ssl", fmt.Sprintf("listen 127.0.0.1:%d ssl", port)},
			replacement{"/etc/ssl/ci.example.com.pem", "DIR/cert.pem"}, replacement{"/etc/ssl/ci.example.com.key", "DIR/key.pem"})
	} else {
		changes = append(changes, replacement{"listen 443 ssl http2;", fmt.Sprintf("listen 127.0.0.1:%d;", port)},
			replacement{"    ssl_certificate /etc/ssl/ci.example.com.pem;\n    ssl_certificate_key /etc/ssl/ci.example.com.key;\n", ""})
	}
	if k.path != "" {
		changes = append(changes, replacement{"location / {", "location " + k.path + "/ {"},
			replacement{"location = /-/metrics", "location = " + k.path + "/-/metrics"})
	}
	if k.buffered {
		changes = append(changes, replacement{"proxy_request_buffering off", "proxy_request_buffering on"})
	}
	if k.metrics {
		changes = append(changes, replacement{"    location = /-/metrics { return 404; }\n", ""})
	}
	before := ""
	if k.gzip {
		before += gzipAll
	}
	if k.removes {
		before += fmt.Sprintf(remove, k.path)
		changes = append(changes, replacement{"proxy_pass http://lanyard;", "proxy_pass http://lanyard$without_path;"})
	}
	return before + documented(t, changes...)
}
