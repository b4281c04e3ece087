package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/client"
	"github.com/lanyard-ci/lanyard/internal/remote"
)

// lintCommand checks a configuration without a server.
type lintCommand struct {
	File      string   `arg:"" optional:"" default:".gitlab-ci.yml" help:"Configuration file. Files that it includes are looked for from the top of its git checkout, or else from its folder."`
	As        string   `help:"Also decide which jobs a pipeline of this source gets: push, trigger, pipeline, schedule, web, api, merge_request_event and so on. Default with any of the flags below: push." placeholder:"SOURCE"`
	Ref       string   `help:"Branch or tag of that pipeline. Default: the branch of the checkout." placeholder:"REF"`
	Tag       bool     `help:"The ref is a tag."`
	Variable  []string `short:"v" sep:"none" help:"Pipeline variable; may be repeated." placeholder:"KEY=VALUE"`
	Input     []string `short:"i" sep:"none" help:"Value for spec:inputs, JSON or else text; may be repeated." placeholder:"NAME=VALUE"`
	Changed   []string `sep:"none" help:"A file that changed, for rules:changes; may be repeated; empty: none did. Default: it is not known." placeholder:"FILE"`
	Project   string   `help:"Full path of the project, for CI_PROJECT_PATH and the like. Default: the name of the folder." placeholder:"PATH"`
	URL       string   `help:"Server that has the projects and components which the configuration includes; LANYARD_TOKEN, a personal access token, reads them. Default: includes from projects are refused." env:"LANYARD_URL" placeholder:"URL"`
	TLSCAFile string   `name:"tls-ca-file" help:"Certificates (PEM) that may vouch for the server, beside the system's." env:"LANYARD_TLS_CA_FILE" placeholder:"FILE"`
	Explain   bool     `help:"Say of each job why it is in or out."`
	Job       []string `sep:"none" help:"Explain this job only; may be repeated. The name of a parallel job stands for all of its instances." placeholder:"NAME"`
}

// Run prints one finding a line, FILE:LINE:COL: message, and exits with 1 if one
// of them is an error. On a terminal the line of the file follows.
func (c *lintCommand) Run(ctx context.Context, term *terminal) error {
	root, name, err := splitRoot(c.File)
	if err != nil {
		return exitWith(exitUsage, "%v", err)
	}
	event, err := c.event(root)
	if err != nil {
		return err
	}
	inputs, err := c.inputs()
	if err != nil {
		return err
	}
	source := folderSource{files: os.DirFS(root), remote: remote.New(remote.Config{AllowPrivate: true})}
	if source.server, err = c.server(); err != nil {
		return err
	}
	report := newLintReport(term, root, name, filepath.IsAbs(c.File), source)
	config, _, found := ciyaml.Load(ctx, source, ciyaml.LoadInput{
		Project: event.project, SHA: worktree, Path: name, Host: event.host, Inputs: inputs, Variables: event.lookup, Modified: event.modified(),
	})
	report.print(found)
	if found.Failed() {
		return &exitError{code: exitFailed}
	}
	if !c.simulates() {
		fmt.Fprintf(term.err, "%s is valid\n", c.File)
		return nil
	}
	return c.simulate(ctx, term, report, config, event)
}

// server is the one with the projects that are not here, nil when none is named.
func (c *lintCommand) server() (*client.Client, error) {
	if c.URL == "" {
		return nil, nil //nolint:nilnil // as the comment says
	}
	server := &client.Client{URL: c.URL, Token: os.Getenv("LANYARD_TOKEN")}
	if c.TLSCAFile != "" {
		trusting, err := client.Trusting(c.TLSCAFile)
		if err != nil {
			return nil, exitWith(exitUsage, "--tls-ca-file: %v", err)
		}
		server.HTTP = trusting
	}
	return server, nil
}

// simulate decides which jobs the pipeline gets.
func (c *lintCommand) simulate(ctx context.Context, term *terminal, report *lintReport, config *ciyaml.Config, event *lintEvent) error {
	in := event.input(ctx, report.source)
	plan, explanation, found := config.Explain(in)
	report.print(withoutWarnings(found))
	explains := c.Explain || c.Job != nil
	if c.Job != nil && len(explanation.Jobs) > 0 {
		if explanation = explanation.Of(c.Job); len(explanation.Jobs) == 0 {
			return exitWith(exitUsage, "--job: the configuration has no job %s", strings.Join(c.Job, ", "))
		}
	}
	if explains {
		report.explain(explanation)
	}
	if found.Failed() {
		return &exitError{code: exitFailed}
	}
	if !explains {
		for _, job := range plan.Jobs {
			fmt.Fprintf(term.out, "%s: %s (%s)\n", printable(job.Stage), printable(job.Name), job.When)
		}
	}
	fmt.Fprintf(term.err, "%s is valid; a %s pipeline on %s has %s\n", c.File, event.source, printable(event.ref), countOf(len(plan.Jobs), "job"))
	return nil
}

// withoutWarnings drops what loading the configuration has said already.
func withoutWarnings(list ciyaml.Diagnostics) ciyaml.Diagnostics {
	var out ciyaml.Diagnostics
	for _, d := range list {
		if d.Severity == ciyaml.Error {
			out = append(out, d)
		}
	}
	return out
}

func countOf(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// A lintReport prints what was found, with names of files as somebody who stands in
// the working directory knows them.
type lintReport struct {
	*terminal
	root     string
	main     string // the configuration file, by its name in the project
	absolute bool
	source   folderSource
	shown    bool // on a terminal, with excerpts
	excerpt  excerpt
	lines    map[string][]string // of files that excerpts were made from
}

func newLintReport(term *terminal, root, main string, absolute bool, source folderSource) *lintReport {
	r := &lintReport{terminal: term, root: root, main: main, absolute: absolute, source: source, lines: map[string][]string{}}
	file, ok := term.out.(*os.File)
	if r.shown = ok && isTerminal(file); r.shown {
		r.excerpt = excerpt{width: 80, color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
		if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
			r.excerpt.width = n
		} else if n := columns(file); n > 0 {
			r.excerpt.width = n
		}
	}
	return r
}

func (r *lintReport) print(list ciyaml.Diagnostics) {
	for _, d := range list {
		hint := d.Hint
		if d.Code == ciyaml.CodeMissingConfig { // that one speaks of a commit
			hint = ""
		}
		if hint == "" && r.source.server == nil && strings.HasPrefix(d.Message, "Component '") {
			hint = "components are on a server: name that with --url"
		}
		message := printable(d.Message)
		if d.Severity == ciyaml.Warning {
			message = "warning: " + message
		}
		place := d.Pos
		place.File = r.name(d.Pos.File)
		if !r.shown {
			if hint != "" {
				message += " (" + printable(hint) + ")"
			}
			fmt.Fprintf(r.out, "%s: %s\n", printable(place.String()), message)
			continue
		}
		fmt.Fprintf(r.out, "%s: %s\n", printable(place.String()), r.excerpt.paint("1", message))
		if line, ok := r.line(d.Pos.File, d.Pos.Line); ok {
			fmt.Fprint(r.out, r.excerpt.of(d.Pos.Line, line, d.Pos.Col))
		}
		if hint != "" {
			fmt.Fprintf(r.out, "        %s\n", printable(hint))
		}
	}
}

// name is the name of a file of the project from here; others keep theirs.
func (r *lintReport) name(file string) string {
	path := filepath.Join(r.root, filepath.FromSlash(file))
	if _, err := os.Lstat(path); err != nil && file != r.main { // a file from elsewhere
		return file
	}
	return fromHere(path, r.absolute)
}

// line gives a line of a file of the project.
func (r *lintReport) line(file string, number int) (string, bool) {
	lines, known := r.lines[file]
	if !known {
		if data, err := r.source.read(file); err == nil {
			lines = strings.Split(string(data), "\n")
		}
		r.lines[file] = lines
	}
	if number < 1 || number > len(lines) {
		return "", false
	}
	return lines[number-1], true
}

// explain prints why each job is in or out.
func (r *lintReport) explain(e *ciyaml.Explanation) {
	rename := func(d *ciyaml.Decision) {
		d.Pos.File = r.name(d.Pos.File)
		for i := range d.Rules {
			d.Rules[i].Pos.File = r.name(d.Rules[i].Pos.File)
		}
	}
	if e.Workflow != nil {
		rename(e.Workflow)
	}
	for i := range e.Jobs {
		rename(&e.Jobs[i])
	}
	for line := range strings.Lines(e.Text()) {
		fmt.Fprintln(r.out, printable(line))
	}
}
