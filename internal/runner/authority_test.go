package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAuthorityRefuses holds that a runner does not begin with a file that vouches
// for nobody.
func TestAuthorityRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{empty: "holds no certificate", empty + ".none": "no such file"} {
		_, err := New(Config{URL: "https://h", Token: "glrt-x", WorkDir: t.TempDir(), Path: os.Getenv("PATH"), CAFile: file})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
}
