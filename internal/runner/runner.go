// Package runner is the built-in runner: it asks a server for jobs, runs their scripts in a shell on this machine and
// reports back. It speaks GitLab's runner API over HTTP like any other runner and knows nothing else of the server.
//
// Its nouns: the Runner polls and has one slot for each job that may run at once; a job goes through the stages that
// people know from gitlab-runner (get sources, restore the cache, download artifacts, script, after_script, save the
// cache, upload artifacts); its trace is the log, masked before a byte of it leaves the process.
//
// A slot runs one job at a time, in WORKDIR/SLOT/PROJECT. Each program of a job leads a session of its own, and the
// session is ended with it, so nothing that a job started in the background outlives its stage. What left the session
// on purpose (setsid) is left alone, unless jobs run as another account: then it is ended too, since the next job of
// the slot may be another project's. A job's environment has PATH, HOME, LANG, TERM and the job's own variables.
//
// What it refuses to do: containers, services, terminals. Whoever needs them connects the stock gitlab-runner.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

const (
	goos   = runtime.GOOS
	goarch = runtime.GOARCH
)

// Config says whose jobs to run and how. URL, Token and WorkDir are required.
type Config struct {
	URL      string // of the server, as people open it; "/api/v4" is added
	Token    string // the runner's own, glrt-…
	Name     string // shown in job logs; "built-in" if empty
	SystemID string // one for each start of the process; made up if empty
	Version  string // of this program

	Concurrency  int           // jobs at once; 1 if less
	Once         bool          // take one job, then return
	PollInterval time.Duration // least time between two requests for a job that found none; 3 s if zero

	WorkDir string // workspaces, caches and temporary files; made if missing
	Shell   string // absolute path; bash from Path, else sh, if empty
	Git     string // absolute path; git from Path if empty

	// The whole environment that jobs inherit. Path has a usual default, the others are left out when empty.
	Path, Lang, Term string

	User        string       // account to run jobs as; needs Linux and root
	OutputLimit int64        // bytes of log that are kept for a job; 64 MiB if zero
	CAFile      string       // PEM: who else than the system's authorities may vouch for the server, and for its repositories in jobs
	Client      *http.Client // must allow requests of two minutes; one without a proxy if nil
	Logger      *slog.Logger // silent if nil
	Now         func() time.Time
}

// Runner takes jobs from one server. Make it with New; Run may be called once.
type Runner struct {
	config Config
	client *client
	log    *slog.Logger
	timing timing
	shell  string
	git    string // empty if there is none; only jobs that need it fail
}

// timing is every wait of the runner in one place.
type timing struct {
	interval   time.Duration // between two sendings of the log until the server wishes otherwise
	liveFlush  time.Duration // the same, next to the server
	gather     time.Duration // least wait for more bytes before sending
	touch      time.Duration // silence after which the server hears that the job is alive
	retryFirst time.Duration // sending of the log after an error, doubled up to
	retryMax   time.Duration
	killGrace  time.Duration // from SIGTERM to SIGKILL when a job is asked to end
	hurryGrace time.Duration // the same on a timeout and when the runner itself ends
	linger     time.Duration // the same for what a finished script left behind
	lastWords  time.Duration // for the final report when the runner itself ends
	after      time.Duration // after_script's own timeout

	accept backoff // telling that the job was taken
	report backoff // telling how it ended
	stream backoff // up- and downloads, git
	poll   backoff // first and max are used
}

func defaultTiming() timing {
	return timing{
		interval: 3 * time.Second, liveFlush: 150 * time.Millisecond, gather: 20 * time.Millisecond, touch: 30 * time.Second,
		retryFirst: 250 * time.Millisecond, retryMax: 10 * time.Second,
		killGrace: 10 * time.Second, hurryGrace: 4 * time.Second, linger: time.Second, lastWords: 8 * time.Second,
		after:  5 * time.Minute,
		accept: backoff{100 * time.Millisecond, 5 * time.Second, 20 * time.Second},
		report: backoff{250 * time.Millisecond, 30 * time.Second, time.Hour},
		stream: backoff{500 * time.Millisecond, 15 * time.Second, 2 * time.Minute},
		poll:   backoff{first: 500 * time.Millisecond, max: 30 * time.Second},
	}
}

// New checks the configuration and prepares WorkDir. It does not talk to the server.
func New(c Config) (*Runner, error) {
	if c.Token == "" || c.WorkDir == "" {
		return nil, errors.New("runner needs a token and a working directory")
	}
	c.fill()
	dir, err := filepath.Abs(c.WorkDir)
	if err != nil {
		return nil, fmt.Errorf("working directory of the runner: %w", err)
	}
	c.WorkDir = dir
	r := &Runner{config: c, log: c.Logger, timing: defaultTiming(), shell: c.Shell, git: c.Git}
	if r.shell == "" {
		if r.shell = lookPath("bash", c.Path); r.shell == "" {
			r.shell = lookPath("sh", c.Path)
		}
	}
	if r.shell == "" {
		return nil, fmt.Errorf("no bash and no sh in %s", c.Path)
	}
	if r.git == "" {
		r.git = lookPath("git", c.Path)
	}
	if r.client, err = newClient(c, filepath.Base(r.shell)); err != nil {
		return nil, err
	}
	if err := r.prepareWorkDir(); err != nil {
		return nil, err
	}
	return r, nil
}

func (c *Config) fill() {
	if c.Name == "" {
		c.Name = "built-in"
	}
	if c.SystemID == "" {
		c.SystemID = "r_" + randomHex(6)
	}
	if c.Path == "" {
		c.Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	if c.OutputLimit <= 0 {
		c.OutputLimit = outputLimit
	}
	if c.PollInterval <= 0 {
		c.PollInterval = 3 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Concurrency = max(c.Concurrency, 1)
}

// lookPath finds a program in a PATH that is not this process's own.
func lookPath(name, path string) string {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if fi, err := os.Stat(file); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 && filepath.IsAbs(file) {
			return file
		}
	}
	return ""
}

// Run takes jobs until ctx ends, or until the first one is over with Once. The end of ctx is a runner's SIGTERM: running
// jobs are ended as whole process groups and reported as failed, runner_system_failure. Run returns when no process of
// a job is left; the error is nil then, and otherwise says that the server refuses this runner.
//
// On Linux, Run makes the process undumpable, so that jobs that run as the same account cannot read its environment or
// memory.
func (r *Runner) Run(ctx context.Context) error {
	if err := hideFromJobs(); err != nil {
		return fmt.Errorf("hide runner's process from jobs: %w", err)
	}
	defer r.client.http.CloseIdleConnections()
	if err := r.sweep(); err != nil {
		return err
	}
	if err := r.greet(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	slots := make(chan int, r.config.Concurrency)
	for n := range r.config.Concurrency {
		slots <- n
	}
	var jobs sync.WaitGroup
	defer jobs.Wait()
	for {
		var slot int
		select {
		case <-ctx.Done():
			return nil
		case slot = <-slots:
		}
		job := r.nextJob(ctx)
		if job == nil {
			return nil
		}
		jobs.Go(func() {
			r.work(ctx, job, slot)
			slots <- slot
		})
		if r.config.Once {
			return nil
		}
	}
}

// greet verifies the token. A server that is not there yet is waited for.
func (r *Runner) greet(ctx context.Context) error {
	wait := r.timing.poll.first
	for {
		err := r.client.verify(ctx)
		if err == nil {
			r.log.Info("runner ready", "url", r.client.base, "system_id", r.config.SystemID, "jobs", r.config.Concurrency)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		if !transient(err) {
			return err
		}
		r.log.Warn("server does not answer yet", "err", err)
		if !sleep(ctx, wait) {
			return nil
		}
		wait = min(wait*2, r.timing.poll.max)
	}
}

// nextJob polls until there is a job; nil when ctx has ended. The queue's version is forgotten after each job, since
// it says "nothing new", not "nothing there".
func (r *Runner) nextJob(ctx context.Context) *payload {
	lastUpdate, failed := "", r.timing.poll.first
	for ctx.Err() == nil {
		asked := r.config.Now()
		job, version, err := r.client.requestJob(ctx, lastUpdate)
		if err == nil && job != nil {
			return job
		}
		if err == nil {
			wait := r.config.PollInterval - r.config.Now().Sub(asked)
			if lastUpdate == "" && version != "" { // only a request with a version is held: ask again at once
				wait = 0
			}
			lastUpdate, failed = version, r.timing.poll.first
			sleep(ctx, wait)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if broken, ok := errors.AsType[*malformedJob](err); ok {
			r.refuse(ctx, broken)
		}
		r.log.Warn("no job, will ask again", "err", err)
		sleep(ctx, max(failed, retryAfter(err)))
		failed = min(failed*2, r.timing.poll.max)
	}
	return nil
}

// refuse fails a job that cannot be read, so that it does not hang on the server until somebody misses it.
func (r *Runner) refuse(ctx context.Context, broken *malformedJob) {
	u := jobUpdate{Token: broken.token, State: "failed", FailureReason: reasonSystem}
	err := r.timing.accept.retry(ctx, func() error {
		reply, err := r.client.update(ctx, broken.id, u)
		if err == nil && reply.code >= 300 {
			err = reply.failure(fmt.Sprintf("update job %d", broken.id))
		}
		return err
	})
	if err != nil {
		r.log.Error("unreadable job not reported", "job", broken.id, "err", err)
	}
}
