package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// The services of git's smart HTTP protocol, as they stand in its URLs.
const (
	UploadPackService  = "git-upload-pack"  // clone and fetch
	ReceivePackService = "git-receive-pack" // push
)

// InfoRefs answers GET info/refs: the refs and abilities that a client sees before it
// fetches or pushes. protocol is the request's Git-Protocol header.
func (s *Server) InfoRefs(ctx context.Context, project int64, service, protocol string, w io.Writer) error {
	args, protocol, err := serviceCommand(service, protocol)
	if err != nil {
		return err
	}
	if err := s.check(project); err != nil {
		return fmt.Errorf("advertise refs of project %d: %w", project, err)
	}
	if !speaksV2(protocol) { // answers in version 2 start without this line
		if err := writePackets(w, "# service="+service+"\n"); err != nil {
			return err
		}
		if _, err := io.WriteString(w, flushPacket); err != nil {
			return err
		}
	}
	if err := s.serve(ctx, project, append(args, "--advertise-refs"), protocolEnv(protocol), nil, w); err != nil {
		return fmt.Errorf("advertise refs of project %d: %w", project, err)
	}
	return nil
}

// Serve answers POST git-upload-pack and git-receive-pack: it streams the request's
// body (already unzipped) to git and git's answer back, and returns when git has
// ended. env is added to what git and its children see. When ctx ends, git is asked to
// clean up and killed 5 s later. Who may do what is decided before (see ParseCommands).
func (s *Server) Serve(ctx context.Context, project int64, service, protocol string, env []string, stdin io.Reader, stdout io.Writer) error {
	args, protocol, err := serviceCommand(service, protocol)
	if err != nil {
		return err
	}
	if err := s.check(project); err != nil {
		return fmt.Errorf("%s for project %d: %w", service, project, err)
	}
	if err := s.serve(ctx, project, args, append(protocolEnv(protocol), env...), stdin, stdout); err != nil {
		return fmt.Errorf("%s for project %d: %w", service, project, err)
	}
	return nil
}

func (s *Server) serve(ctx context.Context, project int64, args, env []string, stdin io.Reader, stdout io.Writer) error {
	dir := s.Path(project)
	args = append(args, "--stateless-rpc", "--", dir)
	cmd := s.command(ctx, dir, args...)
	cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], env...)
	stderr := &tailBuffer{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		return nil // git was satisfied; the client's body merely has no end
	}
	return explain(ctx, err, args, stderr)
}

// serviceCommand is git's subcommand for a service, and the protocol that it may speak.
func serviceCommand(service, asked string) (args []string, protocol string, err error) {
	if cleanProtocol(asked) {
		protocol = asked
	}
	switch service {
	case UploadPackService:
		return []string{"upload-pack", "--strict"}, protocol, nil
	case ReceivePackService:
		if speaksV2(protocol) { // a push has no version 2; whoever offers it means fetches
			protocol = ""
		}
		return []string{"receive-pack"}, protocol, nil
	}
	return nil, "", ci.Forbidden("Unsupported service")
}

func protocolEnv(protocol string) []string {
	if protocol == "" {
		return nil
	}
	return []string{"GIT_PROTOCOL=" + protocol}
}

// cleanProtocol accepts "version=2" and lists of such pairs, as in "version=2:agent".
func cleanProtocol(protocol string) bool {
	for _, c := range []byte(protocol) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("=:.-", rune(c)) {
			return false
		}
	}
	return protocol != "" && len(protocol) <= 100
}

func speaksV2(protocol string) bool {
	for part := range strings.SplitSeq(protocol, ":") {
		if part == "version=2" {
			return true
		}
	}
	return false
}
