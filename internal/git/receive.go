package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Push is a push that was let through, on its way to git.
type Push struct {
	Head PushHead
	Rest io.Reader // what follows the head in the request: the pack

	// FastForward makes git refuse the whole push when it would take commits out of
	// a branch. Only git can tell: the commits come with the push.
	FastForward bool
}

// leaveTime is how long git may take to notice by itself that a pushing client has
// left: at the end of its input it removes what it has received, on a signal it leaves
// that lying about.
const leaveTime = 3 * time.Second

// Receive lets git carry out a push and streams its answer to w, as Serve does.
// protocol is the request's Git-Protocol header. When ctx ends, git has a moment to
// end by itself; then it is asked to, as by Serve.
func (s *Server) Receive(ctx context.Context, project int64, protocol string, p Push, w io.Writer) error {
	head := p.Head.Consumed
	var env []string
	if p.FastForward {
		var err error
		if head, err = withCapability(head, "atomic"); err != nil {
			return fmt.Errorf("receive push: %w", err)
		}
		env = append(env, "GIT_CONFIG_PARAMETERS='receive.denyNonFastForwards=true'")
	}
	patient, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(leaveTime, func() { stop(context.Cause(ctx)) })
		context.AfterFunc(patient, func() { timer.Stop() })
	})()
	return s.Serve(patient, project, ReceivePackService, protocol, env, io.MultiReader(bytes.NewReader(head), p.Rest), w)
}

// withCapability adds a capability to the first command at the head of a push.
func withCapability(head []byte, capability string) ([]byte, error) {
	for at := 0; at+4 <= len(head); {
		n, err := strconv.ParseUint(string(head[at:at+4]), 16, 16)
		if err != nil || n < 4 || at+int(n) > len(head) {
			break
		}
		line := string(head[at+4 : at+int(n)])
		command, capabilities, first := strings.Cut(line, "\x00")
		if !first {
			at += int(n)
			continue
		}
		if slices.Contains(strings.Fields(capabilities), capability) {
			return head, nil
		}
		line = command + "\x00" + strings.TrimSuffix(capabilities, "\n") + " " + capability
		if len(line)+4 > maxPacket {
			break
		}
		return slices.Concat(head[:at], fmt.Appendf(nil, "%04x%s", len(line)+4, line), head[at+int(n):]), nil
	}
	return nil, malformed("capabilities")
}

// Complained reports whether err is that git ran and ended with an error of its own:
// about what it was sent, as a rule. A process that could not be started, was stopped
// or was killed is something else.
func Complained(err error) bool {
	var exit *exitError
	return errors.As(err, &exit) && exit.code > 0
}
