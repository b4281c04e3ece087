package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lanyard-ci/lanyard/internal/client"
	"github.com/lanyard-ci/lanyard/internal/daemon"
)

// upCommand is the newcomer's command: everything on this machine, with a demo
// project whose pipeline is started at once and shown while it runs.
type upCommand struct {
	serverFlags `embed:""`
	Runners     int  `name:"runner" help:"Jobs at once of the built-in runner; 0: off." default:"2" env:"LANYARD_RUNNER" placeholder:"N"`
	Once        bool `help:"End with the verdict of the demo pipeline."`
}

// otherPorts is how many ports are tried after the default one when that is taken.
const otherPorts = 20

// Run implements the command.
func (c *upCommand) Run(ctx context.Context, term *terminal) error {
	config, err := c.config(term, slog.LevelWarn)
	if err != nil {
		return err
	}
	config.Runners, config.RunnerTrusted = c.Runners, true // their own code on their own machine: welcome says so
	if config.Listen == defaultListen {
		config.NextPorts = otherPorts
	}
	server, err := start(ctx, config)
	if err != nil {
		return err
	}
	// The server outlives what is shown, which needs it, and what is shown ends when
	// the server does.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	showing, hide := context.WithCancel(ctx)
	defer hide()
	stopped := make(chan error, 1)
	go func() {
		defer hide()
		stopped <- server.Run(serving)
	}()
	err = c.show(showing, term, server)
	if err == nil && !c.Once {
		<-showing.Done()
	}
	stop()
	return errors.Join(<-stopped, c.interrupted(ctx, err))
}

// interrupted words the end by Ctrl-C: it is how `up` ends, but `up --once` then
// has no verdict.
func (c *upCommand) interrupted(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case c.Once:
		return exitWith(exitInterrupted, "interrupted before the demo pipeline ended")
	}
	return nil
}

// show sets up the demo, starts its pipeline and follows it. With --once the
// pipeline's end is the exit code; else it tells what to do next.
func (c *upCommand) show(ctx context.Context, term *terminal, server *daemon.Server) error {
	demo, err := server.Demo(ctx)
	if err != nil {
		return fmt.Errorf("set up the demo: %w", err)
	}
	if err := c.welcome(ctx, term, server, demo); err != nil {
		return err
	}
	// Just as a stranger's curl would.
	caller := &client.Client{URL: server.LocalURL(), HTTP: server.LocalClient()}
	pipeline, err := caller.Trigger(ctx, demo.Project, demo.TriggerToken, demo.Ref, nil)
	if err != nil {
		return fmt.Errorf("trigger the demo pipeline: %w", err)
	}
	fmt.Fprintf(term.out, "\nStarted %s on %s: pipeline #%d\n\n", demo.Project, demo.Ref, pipeline.ID)
	end, err := watchDemo(ctx, term, server, demo, pipeline)
	if err != nil {
		return fmt.Errorf("watch the demo pipeline: %w", err)
	}
	fmt.Fprintf(term.out, "\nPipeline #%d of %s\n", end.ID, demo.Project)
	end.print(term.out)
	fmt.Fprintln(term.out, end.verdict())
	if c.Once {
		return end.exit()
	}
	c.invite(term, demo)
	return nil
}

// downstreamTime is how long the pipeline of the other project is followed: the
// verdict does not depend on it.
const downstreamTime = 15 * time.Second

// watchDemo shows the demo pipeline until it is done, and then the one that its
// job has started in the other project.
func watchDemo(ctx context.Context, term *terminal, server *daemon.Server, demo daemon.Demo, started client.Pipeline) (end result, err error) {
	token, revoke, err := server.WatchToken(ctx)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, revoke(context.WithoutCancel(ctx))) }()
	w := &watcher{out: term.out, client: &client.Client{URL: server.LocalURL(), Token: token, HTTP: server.LocalClient()}}
	end, err = w.follow(ctx, demo.Project, started)
	if err != nil {
		return end, err
	}
	downstream, err := w.client.Latest(ctx, demo.Downstream, demo.Ref)
	if err != nil || downstream.ID < started.ID { // the demo may have been changed: none is fine
		return end, ctx.Err()
	}
	fmt.Fprintf(term.out, "\nOne of its jobs has started %s: pipeline #%d\n\n", demo.Downstream, downstream.ID)
	ctx, cancel := context.WithTimeout(ctx, downstreamTime)
	defer cancel()
	if _, err = w.follow(ctx, demo.Downstream, downstream); errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return end, err
}

// welcome prints where things are.
func (c *upCommand) welcome(ctx context.Context, term *terminal, server *daemon.Server, demo daemon.Demo) error {
	dir, created := server.Data()
	if created {
		dir += " (created)"
	}
	build := version()
	fmt.Fprintf(term.out, "lanyard %s  %s  data: %s\n\n", build.Version, build.Platform, dir)
	note := ""
	if c.Listen == defaultListen && server.Listen() != defaultListen {
		note = "   (" + defaultListen + " is in use)"
	}
	fmt.Fprintf(term.out, "  server   %s%s\n", server.URL(), note)
	fmt.Fprintf(term.out, "  api      %s/api/v4\n", server.URL())
	switch {
	case c.Runners > 0 && c.RunnerUser != "":
		fmt.Fprintf(term.out, "  runner   built in, %d jobs at a time, shell: jobs run as %s, on this machine\n", c.Runners, c.RunnerUser)
	case c.Runners > 0:
		fmt.Fprintf(term.out, "  runner   built in, %d jobs at a time, shell: jobs run as you, on this machine; fine for your own code only\n", c.Runners)
	default:
		fmt.Fprintln(term.out, "  runner   none: jobs wait for one that you connect")
	}
	fmt.Fprintf(term.out, "  demo     git clone %s\n", demo.CloneURL)
	if c.Once { // nobody could use a token
		return nil
	}
	link, err := server.SignInLink(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(term.out, "  sign in  %s\n           one use, 15 minutes. It signs you in as root.\n", link)
	token, err := server.FirstToken(ctx)
	if err != nil {
		return err
	}
	if token != "" {
		fmt.Fprintf(term.out, "  token    %s   (root's personal access token, shown this once)\n", token)
	}
	return nil
}

// invite prints the curl line that starts the demo again. It works when pasted.
func (c *upCommand) invite(term *terminal, demo daemon.Demo) {
	fmt.Fprintf(term.out, `
Now start it yourself. This token can only start %s:

  curl --fail-with-body --request POST \
       --form-string 'token=%s' \
       --form-string 'ref=%s' \
       --form-string 'variables[NAME]=Ana' \
       '%s'

Stop: Ctrl+C.
`, demo.Project, demo.TriggerToken, demo.Ref, demo.TriggerURL)
}
