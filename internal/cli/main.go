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
	Check   checkCommand   `cmd:"" help:"Verify the invariants of a data directory."`
	Version versionCommand `cmd:"" help:"Print versions."`
}

// A terminal is what commands talk to.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line and returns the exit code. It reads the environment
// and takes the signals SIGINT and SIGTERM while it runs.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	term := &terminal{in, out, errOut}
	if err := shedSecrets(); err != nil {
		return finish(term, err, exitFailed)
	}
	code := exitOK
	parser, err := kong.New(&commands{},
		kong.Name("lanyard"),
		kong.Description("POST a trigger token and a ref, and a real pipeline runs."),
		kong.Writers(out, errOut),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(term),
		kong.Exit(func(c int) { panic(exitCode(c)) }),
		kong.Configuration(loadConfig),
		kong.UsageOnError(),
	)
	if err != nil { // the struct above is wrong: a test would have said so
		panic(err)
	}
	err = parse(parser, args, &code)
	return finish(term, err, code)
}

// An exitCode leaves kong, which wants to exit by itself after --help.
type exitCode int

func parse(parser *kong.Kong, args []string, code *int) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exitCode:
			*code = int(r)
		default:
			panic(r)
		}
	}()
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
func finish(term *terminal, err error, code int) int {
	if err == nil {
		return code
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{exitFailed, err.Error()}
	}
	if exit.text != "" {
		fmt.Fprintf(term.err, "lanyard: %s\n", exit.text)
	}
	return exit.code
}
