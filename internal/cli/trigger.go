package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/lanyard-ci/lanyard/internal/client"
)

// triggerCommand starts a pipeline from a shell, or from inside a job.
type triggerCommand struct {
	Project   string            `arg:"" help:"Id or full path of the project."`
	Ref       string            `required:"" help:"Branch or tag."`
	Variable  map[string]string `short:"v" help:"Pipeline variable, KEY=VALUE; may be repeated." placeholder:"KEY=VALUE"`
	URL       string            `help:"Server. Inside a job: the job's own." default:"http://127.0.0.1:8929" env:"LANYARD_URL,CI_SERVER_URL"`
	TokenFile string            `help:"File with the trigger token. Else LANYARD_TRIGGER_TOKEN, inside a job CI_JOB_TOKEN." placeholder:"FILE"`
	ReadToken string            `hidden:"" env:"LANYARD_TOKEN"`
	Wait      bool              `help:"Wait for the end; the exit code tells how it went."`
	Follow    bool              `help:"Wait, and show the jobs' logs."`
	Timeout   time.Duration     `help:"How long to wait; 0: for ever."`
}

// Run implements the command.
func (c *triggerCommand) Run(ctx context.Context, term *terminal) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	server := &client.Client{URL: c.URL, Token: c.ReadToken, HTTP: http.DefaultClient}
	pipeline, err := server.Trigger(ctx, c.Project, token, c.Ref, c.Variable)
	if err != nil {
		return wordRefusal(err)
	}
	fmt.Fprintf(term.out, "%s #%d  %s %.8s\n%s\n", c.Project, pipeline.ID, pipeline.Ref, pipeline.SHA, pipeline.WebURL)
	if !c.Wait && !c.Follow {
		return nil
	}
	return c.wait(ctx, term, server, pipeline)
}

// wait stays until the pipeline is done and says how it went.
func (c *triggerCommand) wait(ctx context.Context, term *terminal, server *client.Client, pipeline client.Pipeline) error {
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if c.Timeout > 0 {
		waiting, cancel = context.WithTimeout(ctx, c.Timeout)
	}
	defer cancel()
	var err error
	if c.Follow {
		pipeline, err = (&watcher{out: term.out, client: server}).follow(waiting, c.Project, pipeline.ID)
	} else {
		pipeline, err = server.Wait(waiting, c.Project, pipeline.ID, func(client.Pipeline, []client.Job) error { return nil })
	}
	switch {
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, "detached; pipeline #%d goes on", pipeline.ID)
	case errors.Is(err, context.DeadlineExceeded):
		return exitWith(exitTimeout, "pipeline #%d still goes on after %s", pipeline.ID, c.Timeout)
	case err != nil:
		return wordRefusal(err)
	}
	fmt.Fprintf(term.out, "%s\n", verdict(pipeline.Status))
	if code := exitOf(pipeline.Status); code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// token finds the token without it ever being on the command line, where other
// accounts could see it.
func (c *triggerCommand) token() (string, error) {
	token, err := orFile(os.Getenv("LANYARD_TRIGGER_TOKEN"), c.TokenFile)
	if err != nil {
		return "", err
	}
	if token == "" {
		token = os.Getenv("CI_JOB_TOKEN")
	}
	if token == "" {
		return "", exitWith(exitUsage, "no token: set LANYARD_TRIGGER_TOKEN or use --token-file FILE")
	}
	return token, nil
}

// wordRefusal gives the exit code to what the server said, or did not say.
func wordRefusal(err error) error {
	var refused *client.Refused
	if errors.As(err, &refused) && refused.Status < 500 {
		return exitWith(exitRefused, "the server refused: %v", refused)
	}
	return exitWith(exitUnreachable, "%v", err)
}
