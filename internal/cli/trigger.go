package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/client"
)

// triggerCommand starts a pipeline from a shell, or from inside a job.
type triggerCommand struct {
	Project   string        `arg:"" help:"Id or full path of the project."`
	Ref       string        `required:"" help:"Branch or tag." placeholder:"REF"`
	Variable  []string      `short:"v" sep:"none" help:"Pipeline variable; may be repeated." placeholder:"KEY=VALUE"`
	URL       string        `help:"Server. Inside a job: the job's own." default:"http://127.0.0.1:8929" env:"LANYARD_URL,CI_SERVER_URL" placeholder:"URL"`
	TLSCAFile string        `name:"tls-ca-file" help:"Certificates (PEM) that may vouch for the server, beside the system's. Inside a job: the runner's." env:"LANYARD_TLS_CA_FILE,CI_SERVER_TLS_CA_FILE" placeholder:"FILE"`
	TokenFile string        `help:"File with the trigger token; - reads standard input. Else LANYARD_TRIGGER_TOKEN counts, inside a job CI_JOB_TOKEN." env:"LANYARD_TRIGGER_TOKEN_FILE" placeholder:"FILE"`
	Wait      bool          `help:"Wait for the end; the exit code tells how it went. What a trigger token may not read takes LANYARD_TOKEN, a personal access token."`
	Follow    bool          `help:"Wait, and show the jobs' logs."`
	Timeout   time.Duration `help:"How long to wait; 0: for ever." placeholder:"DURATION"`
}

// Run implements the command.
func (c *triggerCommand) Run(ctx context.Context, term *terminal) error {
	token, err := c.token(term)
	if err != nil {
		return err
	}
	variables, err := c.variables()
	if err != nil {
		return err
	}
	server := &client.Client{URL: c.URL, Token: os.Getenv("LANYARD_TOKEN")}
	if c.TLSCAFile != "" {
		if server.HTTP, err = client.Trusting(c.TLSCAFile); err != nil {
			return exitWith(exitUsage, "--tls-ca-file: %v", err)
		}
	}
	if token == os.Getenv("CI_JOB_TOKEN") { // it is for the server that made it
		server.JobToken = token
	}
	pipeline, err := server.Trigger(ctx, c.Project, token, c.Ref, variables)
	switch {
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, "interrupted; whether the pipeline was started is not known")
	case err != nil:
		return wordRefusal(err)
	}
	fmt.Fprintf(term.out, "%s #%d  %s %.8s\n%s\n", c.Project, pipeline.ID, printable(pipeline.Ref), printable(pipeline.SHA), printable(pipeline.WebURL))
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
	var end result
	var err error
	if c.Follow {
		end, err = (&watcher{out: term.out, client: server}).follow(waiting, c.Project, pipeline)
	} else {
		end.Pipeline, err = server.Wait(waiting, c.Project, pipeline, func(_ client.Pipeline, jobs []client.Job) error {
			end.jobs = client.Current(jobs)
			return nil
		})
	}
	switch {
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, "detached; pipeline #%d goes on", pipeline.ID)
	case waiting.Err() != nil:
		return exitWith(exitTimeout, "pipeline #%d still goes on after %s", pipeline.ID, c.Timeout)
	case err != nil:
		return wordWaiting(pipeline, err)
	}
	end.print(term.out)
	fmt.Fprintln(term.out, end.verdict())
	return end.exit()
}

// variables reads KEY=VALUE; a later one of the same key counts.
func (c *triggerCommand) variables() (map[string]string, error) {
	variables := map[string]string{}
	for _, pair := range c.Variable {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, exitWith(exitUsage, "-v takes KEY=VALUE, not %q", pair)
		}
		variables[key] = value
	}
	return variables, nil
}

// token finds the token without it ever being on the command line, where other
// accounts could see it.
func (c *triggerCommand) token(term *terminal) (string, error) {
	if c.TokenFile != "" {
		return readSecret(term.in, c.TokenFile)
	}
	for _, name := range []string{"LANYARD_TRIGGER_TOKEN", "CI_JOB_TOKEN"} {
		if token := os.Getenv(name); token != "" {
			return token, nil
		}
	}
	return "", exitWith(exitUsage, "no token: set LANYARD_TRIGGER_TOKEN or use --token-file FILE")
}

// wordRefusal gives the exit code to what the server said, or did not say.
func wordRefusal(err error) error {
	if refused, ok := errors.AsType[*client.Refused](err); ok && refused.Status < 500 {
		return exitWith(exitRefused, "the server refused: %s", printable(refused.Error()))
	}
	return exitWith(exitUnreachable, "%s", printable(err.Error()))
}

// wordWaiting is wordRefusal for a pipeline that was started: who may trigger may
// not always look.
func wordWaiting(p client.Pipeline, err error) error {
	refused, ok := errors.AsType[*client.Refused](err)
	if !ok || refused.Status >= 500 {
		return exitWith(exitUnreachable, "%s; pipeline #%d goes on", printable(err.Error()), p.ID)
	}
	hint := ""
	if refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound {
		hint = "\n         To wait for it, set LANYARD_TOKEN to a personal access token that may read the project."
	}
	return exitWith(exitRefused, "pipeline #%d was started, but the server does not show it: %s%s", p.ID, printable(refused.Error()), hint)
}
