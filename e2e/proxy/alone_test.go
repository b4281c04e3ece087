package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// alone is the kind of front that speaks https by itself.
var alone = kind{name: "https without a proxy", tls: true, alone: true}

// TestUp holds that the newcomer's command works with https and a certificate that
// nobody knows: its runner, the jobs' git, and the job that triggers another project.
func TestUp(t *testing.T) {
	dir := t.TempDir()
	cert, key := newPair(t)
	port := freePort(t)
	for name, data := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listen, url := fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("https://localhost:%d", port)
	cmd := exec.CommandContext(t.Context(), process.Binary(t), "up", "--once", "--data", filepath.Join(dir, "data"),
		"--listen", listen, "--external-url", url,
		"--tls-cert", filepath.Join(dir, "cert.pem"), "--tls-key", filepath.Join(dir, "key.pem"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, want := range []string{"  server   " + url + "\n", "demo/downstream: pipeline #2", "passed with warnings"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
}

// serial connects anew and gives the serial number of the certificate.
func (f *front) serial() string {
	f.t.Helper()
	conn, err := tls.Dial("tcp4", strings.TrimPrefix(f.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestRenewal replaces the certificate of a running server, as programs that renew
// one do it: new files beside the old ones, then renamed.
func TestRenewal(t *testing.T) {
	f := newFront(t, alone)
	old := f.serial()
	cert, key := newPair(t)
	dir := filepath.Dir(f.ca)
	replace := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name+".new"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	replace("key.pem", key)
	process.Eventually(t, "report of a pair that does not go together", func() (bool, string) {
		return strings.Contains(f.server.Log(), "cannot be used"), f.server.Log()
	})
	if got := f.serial(); got != old {
		t.Error("the old certificate is gone before there is a new one")
	}
	replace("cert.pem", cert)
	process.Eventually(t, "new certificate", func() (bool, string) { return f.serial() != old, f.serial() })
	if log := f.server.Log(); strings.Count(log, "cannot be used") != 1 || strings.Contains(log, "PRIVATE KEY") {
		t.Errorf("got log\n%s", log)
	}
}

// TestPlainWords holds what somebody is told who forgets the s of https, and that a
// server ends soon although clients keep connections of HTTP/2 open.
func TestPlainWords(t *testing.T) {
	f := newFront(t, alone)
	resp, err := http.Get("http://" + strings.TrimPrefix(f.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "HTTPS") {
		t.Errorf("got %d %s, error %v", resp.StatusCode, body, err)
	}
	if a := f.request(f.client, "GET", "/-/liveness", nil, nil); a.ProtoMajor != 2 {
		t.Errorf("spoke HTTP/%d", a.ProtoMajor)
	}
	begun := time.Now()
	if err := f.server.Stop(); err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("it ended after %v with %v", time.Since(begun), err)
	}
}
