package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

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

// Run implements the command.
func (c *upCommand) Run(ctx context.Context, term *terminal) error {
	config, err := c.config(term, c.Runners)
	if err != nil {
		return err
	}
	config.RunnerTrusted = true // their own code on their own machine: up says so
	config.Listen = freeListen(config.Listen)
	server, err := start(ctx, config)
	if err != nil {
		return err
	}
	stopped := make(chan error, 1)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go func() { stopped <- server.Run(serving) }()

	demo, err := server.Demo(ctx)
	if err != nil {
		stop()
		<-stopped
		return fmt.Errorf("set up the demo: %w", err)
	}
	c.welcome(term, server, demo)
	pipeline, err := watchDemo(ctx, term, server, demo)
	switch {
	case ctx.Err() != nil:
		return <-stopped
	case err != nil:
		stop()
		<-stopped
		return fmt.Errorf("watch the demo pipeline: %w", err)
	}
	fmt.Fprintf(term.out, "\nPipeline #%d %s\n", pipeline.ID, verdict(pipeline.Status))
	if c.Once {
		stop()
		if err := <-stopped; err != nil {
			return err
		}
		if code := exitOf(pipeline.Status); code != exitOK {
			return &exitError{code: code}
		}
		return nil
	}
	c.invite(term, demo)
	return <-stopped
}

// watchDemo shows the demo pipeline until it is done.
func watchDemo(ctx context.Context, term *terminal, server *daemon.Server, demo daemon.Demo) (p client.Pipeline, err error) {
	token, end, err := server.WatchToken(ctx)
	if err != nil {
		return client.Pipeline{}, err
	}
	defer func() { err = errors.Join(err, end(context.WithoutCancel(ctx))) }()
	w := &watcher{out: term.out, client: &client.Client{URL: server.LocalURL(), Token: token, HTTP: http.DefaultClient}}
	return w.follow(ctx, demo.Project, demo.PipelineID)
}

// welcome prints where things are.
func (c *upCommand) welcome(term *terminal, server *daemon.Server, demo daemon.Demo) {
	out := term.out
	fmt.Fprintf(out, "lanyard %s  data: %s\n\n", version().Version, server.Data())
	fmt.Fprintf(out, "  api      %s/api/v4\n", server.URL())
	if c.Runners > 0 {
		fmt.Fprintf(out, "  runner   built in, %d jobs at a time, shell: jobs run as you, on this machine; fine for your own code only\n", c.Runners)
	}
	fmt.Fprintf(out, "  demo     git clone %s\n", demo.CloneURL)
	if demo.RootToken != "" {
		fmt.Fprintf(out, "  token    %s  (personal access token of root, shown this once)\n", demo.RootToken)
	}
	fmt.Fprintf(out, "\nStarted %s on main: pipeline #%d\n\n", demo.Project, demo.PipelineID)
}

// invite prints the curl line that starts the demo again. It works when pasted.
func (c *upCommand) invite(term *terminal, demo daemon.Demo) {
	fmt.Fprintf(term.out, `
Now start it yourself. This token can only start %s:

  curl --fail-with-body --request POST \
       --form-string 'token=%s' \
       --form-string 'ref=main' \
       --form-string 'variables[NAME]=Ana' \
       '%s'

Stop: Ctrl+C.
`, demo.Project, demo.TriggerToken, demo.TriggerURL)
}

// freeListen keeps an address that is free; for the default one that is taken it
// tries the next ports, since a newcomer did not choose it.
func freeListen(addr string) string {
	if addr != "127.0.0.1:8929" {
		return addr
	}
	for port := 8929; port < 8939; port++ {
		candidate := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", candidate); err == nil {
			l.Close()
			return candidate
		}
	}
	return addr
}
