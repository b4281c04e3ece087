package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func loadKeys(t *testing.T, path string) *Keys {
	t.Helper()
	keys, _, err := LoadKeys(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yml")
	first, created, err := LoadKeys(path, rand.Reader)
	if err != nil || !created {
		t.Fatalf("first load: created %v, %v", created, err)
	}
	second, created, err := LoadKeys(path, rand.Reader)
	if err != nil || created {
		t.Fatalf("second load: created %v, %v", created, err)
	}
	if got, want := second.Digest(TriggerTokens, "t"), first.Digest(TriggerTokens, "t"); !bytes.Equal(got, want) {
		t.Errorf("digest after a restart: got %x, want %x", got, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want && runtime.GOOS != "windows" {
		t.Errorf("mode: got %#o, want %#o", got, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left: got %v, %v, want the key file alone", entries, err)
	}
}

func TestServersThatStartAtOnceShareKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yml")
	var wait sync.WaitGroup
	digests := make([]string, 8)
	for i := range digests {
		wait.Go(func() {
			keys, _, err := LoadKeys(path, rand.Reader)
			if err != nil {
				t.Error(err)
				return
			}
			digests[i] = string(keys.Digest(AccessTokens, "t"))
		})
	}
	wait.Wait()
	for i := range digests {
		if digests[i] != digests[0] {
			t.Errorf("server %d has other keys", i)
		}
	}
}

func TestKeyFileThatOthersReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes mean nothing there
	}
	path := filepath.Join(t.TempDir(), "keys.yml")
	loadKeys(t, path)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, _, err := LoadKeys(path, rand.Reader)
		if err == nil || !strings.Contains(err.Error(), `run "chmod 600 `+path+`"`) {
			t.Errorf("mode %#o: got %v, want the way to mend it", mode, err)
		}
	}
}

func TestBrokenKeyFiles(t *testing.T) {
	key := strings.Repeat("0a", keyBytes)
	full := "lookup: " + key + "\njob: " + key + "\nsession: " + key + "\nseal:\n  1: " + key + "\n"
	for _, test := range []struct{ name, content, want string }{
		{"empty", "", "a key is missing"},
		{"cut short", full[:len(full)-10], "line 5: want a name"},
		{"no seal key", full[:strings.Index(full, "seal")], "a key is missing"},
		{"unknown name", full + "spare: " + key + "\n", "line 6: unknown name"},
		{"twice", "job: " + key + "\n" + full, "line 3: a name for the second time"},
		{"seal key twice", full + "  1: " + key + "\n", "line 6: a seal key for the second time"},
		{"seal key without number", full + "  x: " + key + "\n", "line 6: the name of a seal key"},
		{"not hex", strings.Replace(full, "0a", "zz", 1), "line 1: want a name"},
	} {
		path := filepath.Join(t.TempDir(), "keys.yml")
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, created, err := LoadKeys(path, rand.Reader)
		if err == nil || created || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error shows a key: %v", test.name, err)
		}
	}
	if _, err := parseKeys([]byte("# a comment\r\n" + strings.ReplaceAll(full, "\n", "\r\n"))); err != nil {
		t.Errorf("file edited on Windows: %v", err)
	}
}

func TestSeal(t *testing.T) {
	keys := loadKeys(t, filepath.Join(t.TempDir(), "keys.yml"))
	plain, context := []byte("the body of a token"), []byte("row 7")
	sealed, err := keys.Seal(plain, context)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("the sealed value shows the plain one")
	}
	if got, err := keys.Open(sealed, context); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("open: got %q, %v, want %q", got, err, plain)
	}
	if _, err := keys.Open(sealed, []byte("row 8")); err == nil {
		t.Error("opened in another row")
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := keys.Open(changed, context); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
	}
	for n := range sealed {
		if _, err := keys.Open(sealed[:n], context); err == nil {
			t.Errorf("opened the first %d bytes", n)
		}
	}
	other := loadKeys(t, filepath.Join(t.TempDir(), "keys.yml"))
	if _, err := other.Open(sealed, context); err == nil {
		t.Error("opened with other keys")
	}
}

func TestSealKeysRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yml")
	old := loadKeys(t, path)
	before, err := old.Seal([]byte("old"), nil)
	if err != nil {
		t.Fatal(err)
	}
	check, err := old.CheckValue()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(file, "  2: %s\n", strings.Repeat("5b", keyBytes))
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	rotated := loadKeys(t, path)
	if got, err := rotated.Open(before, nil); err != nil || string(got) != "old" {
		t.Errorf("open what the old key sealed: got %q, %v", got, err)
	}
	if err := rotated.Verify(check); err != nil {
		t.Errorf("verify after rotating: %v", err)
	}
	after, err := rotated.Seal([]byte("new"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open(after, nil); err == nil || !strings.Contains(err.Error(), "no seal key 2") {
		t.Errorf("a server with the old file: got %v, want the missing key's number", err)
	}
	rotated.seals = rotated.seals[1:]
	if err := rotated.Verify(check); err == nil || !strings.Contains(err.Error(), "no seal key 1") {
		t.Errorf("verify without the old key: got %v, want the missing key's number", err)
	}
}

func TestVerify(t *testing.T) {
	keys := loadKeys(t, filepath.Join(t.TempDir(), "keys.yml"))
	check, err := keys.CheckValue()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Verify(check); err != nil {
		t.Errorf("own keys: %v", err)
	}
	other := loadKeys(t, filepath.Join(t.TempDir(), "keys.yml"))
	if err := other.Verify(check); !errors.Is(err, ErrOtherKeys) {
		t.Errorf("other keys: got %v, want ErrOtherKeys", err)
	}
	for _, damaged := range []string{"", "x", check[:10], strings.Replace(check, ":", ":!", 1)} {
		if err := keys.Verify(damaged); err == nil || errors.Is(err, ErrOtherKeys) {
			t.Errorf("check value %q: got %v, want damaged", damaged, err)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, test := range []struct {
		token string
		kind  TokenKind
		bytes int
	}{
		{NewTriggerToken(rand.Reader), TriggerTokens, 46},
		{NewAccessToken(rand.Reader), AccessTokens, 46},
		{NewRunnerToken(rand.Reader), RunnerTokens, 45},
		{NewSessionToken(rand.Reader), "", 40},
	} {
		if got := Shape(test.token); got != test.kind {
			t.Errorf("shape of %s: got %q, want %q", test.token, got, test.kind)
		}
		if len(test.token) != test.bytes {
			t.Errorf("%s: got %d bytes, want %d", test.token, len(test.token), test.bytes)
		}
	}
	if NewTriggerToken(rand.Reader) == NewTriggerToken(rand.Reader) {
		t.Error("the same token twice")
	}
	for token, want := range map[string]string{
		"glptt-0123456789abcdef":      "0123",
		"acme-glptt-0123456789abcdef": "0123",
		"glrt-abcdef":                 "abcd",
		"secure_token_2":              "secu",
		"abc":                         "abc",
		"":                            "",
	} {
		if got := Short(token); got != want {
			t.Errorf("short of %q: got %q, want %q", token, got, want)
		}
	}
}

func TestJobTokensAreDerived(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yml")
	a, b := loadKeys(t, path), loadKeys(t, path) // two replicas
	nonce := NewNonce(rand.Reader)
	token := a.JobToken(7, nonce)
	if got := b.JobToken(7, nonce); got != token {
		t.Errorf("on another replica: got %s, want %s", got, token)
	}
	if Shape(token) != JobTokens || len(token) < len(jobPrefix)+27 {
		t.Errorf("got %s, want a job token of 160 bits or more", token)
	}
	for name, other := range map[string]string{
		"another job":  a.JobToken(8, nonce),
		"another run":  a.JobToken(7, NewNonce(rand.Reader)),
		"another file": loadKeys(t, filepath.Join(t.TempDir(), "keys.yml")).JobToken(7, nonce),
	} {
		if other == token {
			t.Errorf("%s has the same token", name)
		}
	}
}

func TestDigestsOfKindsDiffer(t *testing.T) {
	keys := loadKeys(t, filepath.Join(t.TempDir(), "keys.yml"))
	seen := map[string]TokenKind{}
	for _, kind := range []TokenKind{TriggerTokens, AccessTokens, RunnerTokens, JobTokens, SessionTokens} {
		digest := string(keys.Digest(kind, "same"))
		if other, there := seen[digest]; there {
			t.Errorf("%s and %s share a digest", kind, other)
		}
		seen[digest] = kind
	}
}

func TestSign(t *testing.T) {
	keys := loadKeys(t, filepath.Join(t.TempDir(), "keys.yml"))
	signature := keys.Sign("form", []byte("data"))
	if !keys.Signed("form", []byte("data"), signature) {
		t.Error("own signature refused")
	}
	if keys.Signed("cookie", []byte("data"), signature) || keys.Signed("form", []byte("date"), signature) || keys.Signed("form", []byte("data"), nil) {
		t.Error("a wrong signature was taken")
	}
}

func TestPasswords(t *testing.T) {
	p := NewPasswords(rand.Reader)
	hash, err := p.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", hash)
	}
	for _, test := range []struct {
		hash, password string
		want           bool
	}{
		{hash, "correct horse", true},
		{hash, "Correct horse", false},
		{hash, "", false},
		{"", "", false},
		{"", "correct horse", false},
	} {
		if got, err := p.Verify(t.Context(), test.hash, test.password); err != nil || got != test.want {
			t.Errorf("%q against %q: got %v, %v, want %v", test.password, test.hash, got, err, test.want)
		}
	}
	for _, damaged := range []string{"x", hash[:len(hash)-30], strings.Replace(hash, "m=19456", "m=99999999", 1), strings.Replace(hash, "p=1", "p=0", 1)} {
		if _, err := p.Verify(t.Context(), damaged, "correct horse"); err == nil {
			t.Errorf("damaged hash %q was taken", damaged)
		}
	}
	again, err := p.Hash(t.Context(), "correct horse")
	if err != nil || again == hash {
		t.Errorf("the same salt twice: %v", err)
	}
}

func TestPasswordsWaitForASlot(t *testing.T) {
	p := NewPasswords(rand.Reader)
	for range hashesAtOnce {
		p.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("third at once: got %v, want canceled", err)
	}
	<-p.slots
	if _, err := p.Hash(t.Context(), "x"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

func BenchmarkDigest(b *testing.B) {
	keys, err := newKeys(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		keys.Digest(TriggerTokens, "glptt-0123456789abcdef0123456789abcdef01234567")
	}
}

func BenchmarkVerifyPassword(b *testing.B) {
	p := NewPasswords(rand.Reader)
	hash, err := p.Hash(b.Context(), "correct horse")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := p.Verify(b.Context(), hash, "correct horse"); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}
