package blob_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/lanyard-ci/lanyard/internal/blob"
)

func TestNewKey(t *testing.T) {
	if got, want := blob.NewKey(strings.NewReader("0123456789abcdefX")), "30313233343536373839616263646566"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a, b := blob.NewKey(rand.Reader), blob.NewKey(rand.Reader)
	if a == b || blob.CheckKey(a) != nil || blob.CheckKey(b) != nil {
		t.Errorf("random keys are %s and %s", a, b)
	}
	defer func() {
		if recover() == nil {
			t.Error("a failing source was accepted")
		}
	}()
	blob.NewKey(iotest.ErrReader(errors.New("no entropy")))
}

func TestCheckKey(t *testing.T) {
	good := strings.Repeat("0123456789abcdef", 2)
	for key, want := range map[string]bool{
		good: true, good + "0": true, strings.Repeat("f", 128): true,
		"": false, good[1:]: false, strings.Repeat("f", 129): false, strings.ToUpper(good): false,
		good + "\n": false, "../../" + good: false, good[:31] + "/": false, good[:31] + ".": false, good[:31] + "\x00": false,
		"a" + "g" + good: false,
	} {
		err := blob.CheckKey(key)
		if (err == nil) != want || err != nil && !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("%q: got %v, want %v", key, err, want)
		}
	}
	for prefix, want := range map[string]bool{"": true, "a": true, good: true, "..": false, "A": false, "a/": false} {
		if err := blob.CheckPrefix(prefix); (err == nil) != want {
			t.Errorf("prefix %q: got %v, want %v", prefix, err, want)
		}
	}
}
