package git_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

const (
	shaA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	shaB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// packets joins pkt-lines; an empty one is a flush.
func packets(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		if line == "" {
			b.WriteString("0000")
			continue
		}
		fmt.Fprintf(&b, "%04x%s", len(line)+4, line)
	}
	return b.String()
}

func TestParseCommands(t *testing.T) {
	update := shaA + " " + shaB + " refs/heads/main"
	for _, c := range []struct {
		name, in string
		want     git.PushHead
		kind     ci.Kind
	}{
		{"one command", packets(update+"\x00 report-status side-band-64k agent=git/2.39.5\n", ""),
			git.PushHead{Commands: []git.Command{{Old: shaA, New: shaB, Ref: "refs/heads/main"}},
				Capabilities: []string{"report-status", "side-band-64k", "agent=git/2.39.5"}}, ""},
		{"delete, options", packets("shallow "+shaA+"\n", update+"\x00push-options", shaA+" "+git.ZeroSHA+" refs/tags/v1", "", "ci.skip\n", "ci.variable=A=b c", ""),
			git.PushHead{Commands: []git.Command{{Old: shaA, New: shaB, Ref: "refs/heads/main"}, {Old: shaA, New: git.ZeroSHA, Ref: "refs/tags/v1"}},
				Options: []string{"ci.skip", "ci.variable=A=b c"}, Capabilities: []string{"push-options"}}, ""},
		{"probe", packets(""), git.PushHead{}, ""},

		{"nothing", "", git.PushHead{}, ci.KindInvalid},
		{"cut in the length", "00", git.PushHead{}, ci.KindInvalid},
		{"cut in the line", "0067" + shaA, git.PushHead{}, ci.KindInvalid},
		{"cut before the flush", packets(update + "\x00"), git.PushHead{}, ci.KindInvalid},
		{"cut before the options", packets(update+"\x00push-options", ""), git.PushHead{}, ci.KindInvalid},
		{"length of 1", "0001", git.PushHead{}, ci.KindInvalid},
		{"length that is none", "zzzz", git.PushHead{}, ci.KindInvalid},
		{"length with a sign", "+fff", git.PushHead{}, ci.KindInvalid},
		{"length over 65520", "ffff", git.PushHead{}, ci.KindInvalid},
		{"no capabilities", packets(update, ""), git.PushHead{}, ci.KindInvalid},
		{"capabilities twice", packets(update+"\x00", update+"\x00", ""), git.PushHead{}, ci.KindInvalid},
		{"signed push", packets("push-cert\x00report-status\n", ""), git.PushHead{}, ci.KindInvalid},
		{"no ref", packets(shaA+" "+shaB+"\x00", ""), git.PushHead{}, ci.KindInvalid},
		{"short name", packets(shaA+" "+shaB+" main\x00", ""), git.PushHead{}, ci.KindInvalid},
		{"option as ref", packets(shaA+" "+shaB+" --upload-pack=x\x00", ""), git.PushHead{}, ci.KindInvalid},
		{"climbing ref", packets(shaA+" "+shaB+" refs/heads/../../x\x00", ""), git.PushHead{}, ci.KindInvalid},
		{"upper case", packets(strings.ToUpper(shaA)+" "+shaB+" refs/heads/x\x00", ""), git.PushHead{}, ci.KindInvalid},
		{"shallow rubbish", packets("shallow x\n", update+"\x00", ""), git.PushHead{}, ci.KindInvalid},

		{"too many commands", packets(update+"\x00", update, update, update, ""), git.PushHead{}, ci.KindTooLarge},
		{"too many options", packets(update+"\x00push-options", "", "1", "2", "3", ""), git.PushHead{}, ci.KindTooLarge},
		{"too many bytes", packets(update+"\x00"+strings.Repeat("x", 2000), ""), git.PushHead{}, ci.KindTooLarge},
		{"endless shallows", strings.Repeat(packets("shallow "+shaA+"\n"), 100), git.PushHead{}, ci.KindTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := bufio.NewReader(iotest.OneByteReader(strings.NewReader(c.in + "PACK...")))
			if c.kind == ci.KindInvalid {
				r = bufio.NewReader(strings.NewReader(c.in))
			}
			got, err := git.ParseCommands(r, git.PushLimits{Commands: 3, Options: 2, Bytes: 1000})
			if kind := ci.KindOf(err); kind != c.kind || (err != nil) != (c.kind != "") {
				t.Fatalf("got %v, want kind %q", err, c.kind)
			}
			if !strings.HasPrefix(c.in, string(got.Consumed)) {
				t.Errorf("consumed %q of %q", got.Consumed, c.in)
			}
			if c.kind != "" {
				return
			}
			rest, err := io.ReadAll(r)
			if err != nil || string(got.Consumed)+string(rest) != c.in+"PACK..." || string(rest) != "PACK..." {
				t.Errorf("consumed %q, left %q, %v", got.Consumed, rest, err)
			}
			got.Consumed = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseCommandsPassesReadErrors(t *testing.T) {
	broken := errors.New("connection reset")
	_, err := git.ParseCommands(bufio.NewReader(iotest.ErrReader(broken)), git.PushLimits{})
	if !errors.Is(err, broken) || ci.KindOf(err) != "" {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestRefusePush(t *testing.T) {
	commands := []git.Command{{Ref: "refs/heads/a"}, {Ref: "refs/heads/b"}}
	report := packets("unpack ok\n", "ng refs/heads/a not now\n", "ng refs/heads/b not now\n", "")
	for _, c := range []struct {
		capabilities []string
		want         string
	}{
		{nil, ""},
		{[]string{"report-status"}, report},
		{[]string{"report-status-v2"}, report},
		{[]string{"side-band-64k"}, packets("\x02no\n", "")},
		{[]string{"report-status", "side-band-64k"}, packets("\x02no\n", "\x01"+report, "")},
	} {
		var out bytes.Buffer
		err := git.RefusePush(&out, git.PushHead{Commands: commands, Capabilities: c.capabilities}, "no", "not\nnow")
		if got := out.String(); err != nil || got != c.want {
			t.Errorf("%v: got %q, %v, want %q", c.capabilities, got, err, c.want)
		}
	}
}

func FuzzParseCommands(f *testing.F) {
	f.Add([]byte(packets(shaA+" "+shaB+" refs/heads/main\x00push-options", "", "ci.skip", "")))
	f.Add([]byte(packets("")))
	f.Add([]byte("ffff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(bytes.NewReader(in))
		head, err := git.ParseCommands(r, git.PushLimits{Commands: 5, Options: 5, Bytes: 4096})
		if len(head.Consumed) > 4096 || len(head.Commands) > 5 || len(head.Options) > 5 {
			t.Fatalf("over the limits: %d bytes, %d commands, %d options", len(head.Consumed), len(head.Commands), len(head.Options))
		}
		if err != nil {
			return
		}
		rest, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(append(head.Consumed, rest...), in) {
			t.Fatalf("%q is not what went in: %q and %q, %v", in, head.Consumed, rest, err)
		}
		for _, c := range head.Commands {
			if git.CheckRefName(c.Ref) != nil || !git.IsSHA(c.Old) || !git.IsSHA(c.New) {
				t.Fatalf("passed %+v", c)
			}
		}
	})
}
