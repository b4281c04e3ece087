// Package cli is the command line: flags, the environment and configuration files
// come in here and nowhere else, and every command is one file.
//
// Standard output is data, standard error is progress and logs. Exit codes are
// stable (docs/operate.md): 0 success, 1 the pipeline failed or a check found
// something, 2 wrong usage, 3 canceled (or, for the server, a database that is
// too new), 4 the server refused, 5 timed out, 6 not reachable, 7 waits for a
// manual job, 130 interrupted.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCanceled    = 3
	exitTooNew      = 3
	exitRefused     = 4
	exitTimeout     = 5
	exitUnreachable = 6
	exitWaiting     = 7
	exitInterrupted = 130
)

// An exitError ends the program with a code. Text may be empty: then nothing is
// printed, since the command has said what there is to say.
type exitError struct {
	code int
	text string
}

// Error gives the text.
func (e *exitError) Error() string { return e.text }

func exitWith(code int, format string, args ...any) error {
	return &exitError{code, fmt.Sprintf(format, args...)}
}

// commands is what can be typed.
type commands struct {
	Up      upCommand      `cmd:"" help:"Try it: a server with a demo project and a runner, on this machine."`
	Serve   serveCommand   `cmd:"" help:"The server for real use."`
	Runner  runnerCommand  `cmd:"" help:"The built-in runner as its own process."`
	Trigger triggerCommand `cmd:"" help:"Start a pipeline with a trigger or job token."`
	Lint    lintCommand    `cmd:"" help:"Check a configuration without a server."`
	Check   checkCommand   `cmd:"" help:"Verify the invariants of a data directory, also beside the server that uses it."`
	Version versionCommand `cmd:"" help:"Print versions."`
}

// A terminal is what commands talk to.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line, without the program's name, and returns the exit
// code. It reads the environment and takes the signals SIGINT and SIGTERM while it
// runs; the second one ends the program at once.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	term := &terminal{in, out, errOut}
	if err := shedSecrets(args); err != nil {
		return finish(term, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return finish(term, run(ctx, term, args))
}

// newParser makes the parser of the command line, which fills cmds.
func newParser(ctx context.Context, term *terminal, cmds *commands) (*kong.Kong, error) {
	return kong.New(cmds,
		kong.Name("lanyard"),
		kong.Description("POST a trigger token and a ref, and a real pipeline runs."),
		kong.Writers(term.out, term.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(term),
		kong.Exit(func(code int) { panic(exitCode(code)) }),
		kong.Configuration(loadConfig),
		kong.Vars{"listen": defaultListen},
	)
}

// An exitCode leaves kong, which wants to exit by itself after --help.
type exitCode int

// run parses and runs one command.
func run(ctx context.Context, term *terminal, args []string) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exitCode:
			err = &exitError{code: int(r)}
		default:
			panic(r)
		}
	}()
	parser, err := newParser(ctx, term, &commands{})
	if err != nil {
		return fmt.Errorf("make command line: %w", err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return exitWith(exitUsage, "%v", err)
	}
	return parsed.Run()
}

// finish prints what went wrong, once, and gives the exit code.
func finish(term *terminal, err error) int {
	if err == nil {
		return exitOK
	}
	exit, ok := errors.AsType[*exitError](err)
	if !ok {
		exit = &exitError{exitFailed, err.Error()}
	}
	if exit.text != "" {
		fmt.Fprintf(term.err, "lanyard: %s\n", exit.text)
	}
	return exit.code
}
