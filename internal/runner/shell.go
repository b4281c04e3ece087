package runner

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// script puts a list of commands together for one shell. Each is echoed before it runs, the first failure ends the
// script. The commands stand as they are, not wrapped, so that one may open an `if` that a later one closes.
func script(commands []string, xtrace bool) string {
	var b strings.Builder
	// dash before 0.5.13 has no pipefail; asking in a subshell keeps a no from ending the script.
	b.WriteString("set -e\nif (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\nset +o noclobber\n")
	if xtrace {
		b.WriteString("set -o xtrace\n")
	}
	for _, command := range commands {
		command = strings.TrimRight(command, " \t\r\n")
		if command == "" {
			b.WriteString("echo\n")
			continue
		}
		shown, rest, long := strings.Cut(command, "\n")
		if long && strings.TrimSpace(rest) != "" {
			shown += " # collapsed multi-line command"
		}
		fmt.Fprintf(&b, "printf '%%s\\n' %s\n%s\n", quote(green+"$ "+shown+reset), command)
	}
	return b.String()
}

// quote makes one word of a text for any POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// shell runs commands in the project's folder. status is what CI_JOB_STATUS says.
func (j *job) shell(ctx context.Context, name string, commands []string, status string) error {
	file := "." + name
	if err := j.ws.writeFile(file, []byte(script(commands, j.vars.is("CI_DEBUG_TRACE")))); err != nil {
		return systemFailure(fmt.Errorf("write script of %s: %w", name, err))
	}
	// A relative path, because the shell puts it before its own messages.
	path, err := filepath.Rel(j.ws.project, filepath.Join(j.ws.tmp, file))
	if err != nil {
		return systemFailure(err)
	}
	return j.run(ctx, j.runner.shell, []string{path}, j.environ("CI_JOB_STATUS="+status))
}

// run starts a program of the job in the project's folder.
func (j *job) run(ctx context.Context, path string, args, env []string) error {
	return j.runTo(ctx, j.trace, path, args, env)
}

// runTo is run with its output elsewhere.
func (j *job) runTo(ctx context.Context, out io.Writer, path string, args, env []string) error {
	p := program{
		path: path, args: args, dir: j.ws.project, env: env, out: out, as: j.ws.as, mark: filepath.Join(j.ws.slot, sessionFile),
	}
	return p.run(ctx, j.runner.timing.grace, j.runner.timing.linger)
}

// environ is the whole environment of the job's programs: the allow-list, the job's variables, and extra pairs.
func (j *job) environ(extra ...string) []string {
	c := j.runner.config
	base := map[string]string{"PATH": c.Path, "HOME": j.ws.home}
	if c.Lang != "" {
		base["LANG"] = c.Lang
	}
	if c.Term != "" {
		base["TERM"] = c.Term
	}
	env, _ := j.vars.environ(base) // what is left out was said in the log at the start
	return append(env, extra...)
}

// grace is the time from SIGTERM to SIGKILL: none when the job is lost, little when somebody waits for the runner.
func (t *timing) grace(cause error) time.Duration {
	switch cause {
	case errGone:
		return 0
	case errCanceling, errScriptTimeout:
		return t.killGrace
	}
	return t.hurryGrace
}
