package git

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

const (
	flushPacket = "0000"
	maxPacket   = 65520 // bytes of one packet with its length, in git's pkt-line format
)

// A Command is one ref that a push wants to change. ZeroSHA as Old means create, as
// New delete.
type Command struct {
	Old, New string
	Ref      string // in full
}

// PushLimits bound what a client may make us hold in memory; zero values mean 10 000
// commands, 100 options and 4 MiB in all.
type PushLimits struct {
	Commands int
	Options  int
	Bytes    int
}

// A PushHead is what stands before the pack in the request of a push.
type PushHead struct {
	Commands     []Command // empty when the client only probes
	Options      []string  // of git push -o, in order
	Capabilities []string
	Consumed     []byte // the bytes read so far: git must see them again before the rest
}

// ParseCommands reads the command list and the push options at the head of a
// receive-pack request (gitprotocol-pack, "Reference Update Request"). Afterwards r
// stands at the pack. Malformed input and invalid ref names are KindInvalid, input
// over the limits is KindTooLarge.
func ParseCommands(r *bufio.Reader, limits PushLimits) (PushHead, error) {
	p := pushParser{r: r, limits: PushLimits{
		Commands: orDefault(limits.Commands, 10_000),
		Options:  orDefault(limits.Options, 100),
		Bytes:    orDefault(limits.Bytes, 4<<20),
	}}
	return p.parse()
}

type pushParser struct {
	r      *bufio.Reader
	limits PushLimits
	head   PushHead
}

func (p *pushParser) parse() (PushHead, error) {
	for {
		line, flush, err := p.packet()
		if err != nil {
			return p.head, fmt.Errorf("read push: %w", err)
		}
		if flush {
			break
		}
		if err := p.command(line); err != nil {
			return p.head, fmt.Errorf("read push: %w", err)
		}
	}
	if len(p.head.Commands) == 0 || !slices.Contains(p.head.Capabilities, "push-options") {
		return p.head, nil
	}
	for {
		line, flush, err := p.packet()
		if err != nil {
			return p.head, fmt.Errorf("read push options: %w", err)
		}
		if flush {
			return p.head, nil
		}
		if len(p.head.Options) == p.limits.Options {
			return p.head, ci.TooLarge("Too many push options")
		}
		p.head.Options = append(p.head.Options, strings.ToValidUTF8(strings.TrimSuffix(line, "\n"), "\uFFFD"))
	}
}

// command reads "<old> <new> <ref>", the first of them followed by the capabilities.
func (p *pushParser) command(line string) error {
	if sha, ok := strings.CutPrefix(line, "shallow "); ok && len(p.head.Commands) == 0 {
		if !IsSHA(strings.TrimSuffix(sha, "\n")) {
			return malformed("a shallow line")
		}
		return nil
	}
	if len(p.head.Commands) == p.limits.Commands {
		return ci.TooLarge("Too many refs in one push")
	}
	command, capabilities, first := strings.Cut(line, "\x00")
	if first != (len(p.head.Commands) == 0) {
		return malformed("capabilities")
	}
	if first {
		p.head.Capabilities = strings.Fields(capabilities)
	}
	fields := strings.SplitN(strings.TrimSuffix(command, "\n"), " ", 3)
	if len(fields) != 3 || !IsSHA(fields[0]) || !IsSHA(fields[1]) { // also what signed pushes send: not offered
		return malformed("a command")
	}
	if !strings.HasPrefix(fields[2], "refs/") {
		return malformed("a ref name")
	}
	if err := CheckRefName(fields[2]); err != nil {
		return err
	}
	p.head.Commands = append(p.head.Commands, Command{Old: fields[0], New: fields[1], Ref: fields[2]})
	return nil
}

// packet reads one pkt-line: four hexadecimal digits that count themselves and what follows.
func (p *pushParser) packet() (line string, flush bool, err error) {
	var size [4]byte
	if err := p.read(size[:]); err != nil {
		return "", false, err
	}
	n, err := strconv.ParseUint(string(size[:]), 16, 16)
	switch {
	case err != nil || n > maxPacket || n > 0 && n < 4:
		return "", false, malformed("a packet length")
	case n == 0:
		return "", true, nil
	}
	body := make([]byte, n-4)
	err = p.read(body)
	return string(body), false, err
}

func (p *pushParser) read(into []byte) error {
	if len(p.head.Consumed)+len(into) > p.limits.Bytes {
		return ci.TooLarge("Push is too large")
	}
	n, err := io.ReadFull(p.r, into)
	p.head.Consumed = append(p.head.Consumed, into[:n]...)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("an early end")
	}
	return err
}

func malformed(what string) error {
	return ci.BadRequest("push holds " + what + " that git does not send")
}

// RefusePush writes the answer to a push of which nothing is carried out: message is
// what the user reads behind "remote:", reason what stands beside every ref as the
// cause ("pre-receive hook declined" in GitLab). The rest of the request must have been
// read or its connection must be closed afterwards.
func RefusePush(w io.Writer, head PushHead, message, reason string) error {
	var report bytes.Buffer
	lines := []string{"unpack ok\n"}
	for _, c := range head.Commands {
		lines = append(lines, "ng "+c.Ref+" "+oneLine(reason)+"\n")
	}
	if slices.Contains(head.Capabilities, "report-status") || slices.Contains(head.Capabilities, "report-status-v2") {
		if err := writePackets(&report, lines...); err != nil {
			return err
		}
		report.WriteString(flushPacket)
	}
	if !slices.Contains(head.Capabilities, "side-band-64k") {
		_, err := w.Write(report.Bytes())
		return err
	}
	var out []string
	if message != "" {
		for chunk := range slices.Chunk([]byte(strings.TrimSuffix(message, "\n")+"\n"), maxPacket-5) {
			out = append(out, "\x02"+string(chunk))
		}
	}
	for chunk := range slices.Chunk(report.Bytes(), maxPacket-5) {
		out = append(out, "\x01"+string(chunk))
	}
	if err := writePackets(w, out...); err != nil {
		return err
	}
	_, err := io.WriteString(w, flushPacket)
	return err
}

// oneLine keeps a reason from ending its own line early.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// writePackets writes pkt-lines of at most maxPacket bytes each.
func writePackets(w io.Writer, lines ...string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintf(w, "%04x%s", len(line)+4, line); err != nil {
			return err
		}
	}
	return nil
}
