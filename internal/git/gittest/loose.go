package gittest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Loose writes n blobs into the repository in this folder, all below objects/17, where
// git counts how many loose objects there are. No ref leads to them. It returns their
// names.
func Loose(t testing.TB, repository string, n int) (names []string) {
	t.Helper()
	const prefix = "17"
	dir := filepath.Join(repository, "objects", prefix)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; len(names) < n; i++ {
		text := []byte(fmt.Sprint("blob ", len(fmt.Sprint(i)), "\x00", i))
		sum := sha1.Sum(text)
		name := hex.EncodeToString(sum[:])
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name[len(prefix):]), packed.Bytes(), 0o400); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}
