// Package githttp serves repositories to git clients: clone, fetch and push over
// git's smart HTTP protocol, at /group/project.git.
//
// Every request is a visit: a caller (nobody, a user by an access token, a job by
// its token) at a project for one of git's two services. Whoever may not know of a
// project learns nothing about it: nobody is asked to sign in, everybody else is
// told that it is not there.
//
// A fetch is handed to the git program as it comes. A push is read up to its pack
// first: which refs it wants to change is checked as a whole, and one that may not
// be carried out never reaches git. Afterwards the engine is told which refs have
// really changed, and the client what came of it.
//
// Nothing is buffered but the head of a push. The dumb protocol, passwords and
// Git LFS are not offered.
package githttp

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// Config is what a Handler works with. All fields but Logger and Processes are
// required.
type Config struct {
	Engine    *engine.Engine
	View      *store.View
	Git       *git.Server
	URLs      wire.URLs
	Limiter   *wire.Limiter // of unknown tokens by address
	Logger    *slog.Logger
	Processes int // how many git processes serve clients at once, the others wait; default 64
}

// A Handler answers git clients. Its errors are plain text, which git shows.
type Handler struct {
	engine    *engine.Engine
	view      *store.View
	git       *git.Server
	urls      wire.URLs
	limiter   *wire.Limiter
	log       *slog.Logger
	processes *semaphore.Weighted
	limits    limits
	http      http.Handler
}

// limits bound what a client can hold for how long.
type limits struct {
	fetchBody int64         // bytes of a fetch's request, unpacked: a want or have takes 50
	fetchIdle time.Duration // between two pieces of a fetch's request
	pushIdle  time.Duration // of a push's: the client packs its objects meanwhile
	writeIdle time.Duration // until the client takes the next piece of an answer
	queue     time.Duration // until there is room for another git process
	settle    time.Duration // for what follows a push, which no longer depends on the client
}

// defaultLimits leave room for slow lines and large repositories.
var defaultLimits = limits{
	fetchBody: 64 << 20,
	fetchIdle: time.Minute,
	pushIdle:  15 * time.Minute,
	writeIdle: 5 * time.Minute,
	queue:     time.Minute,
	settle:    time.Minute,
}

// New checks the configuration and makes a Handler.
func New(c Config) (*Handler, error) {
	if c.Engine == nil || c.View == nil || c.Git == nil || c.Limiter == nil {
		return nil, errors.New("make git handler: a required part is missing")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Processes == 0 {
		c.Processes = 64
	}
	h := &Handler{
		engine: c.Engine, view: c.View, git: c.Git, urls: c.URLs, limiter: c.Limiter, log: c.Logger,
		processes: semaphore.NewWeighted(int64(c.Processes)), limits: defaultLimits,
	}
	h.http = wire.Adapt(h.serve, answerText)
	return h, nil
}

// Match reports whether a path, unescaped, belongs to git clients.
func (h *Handler) Match(path string) bool {
	_, ok := parsePath(path)
	return ok
}

// ServeHTTP answers one request of a git client.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.http.ServeHTTP(w, r) }

// serve finds out what is asked for.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	at, ok := parsePath(r.URL.Path)
	if !ok {
		return ci.NotFound("")
	}
	r.Pattern = at.pattern()
	switch {
	case at.endpoint == infoRefs && r.Method != http.MethodGet && r.Method != http.MethodHead:
		return wrongMethod(w, "GET, HEAD")
	case at.endpoint == infoRefs:
		return h.infoRefs(w, r, at)
	case !at.suffixed:
		return ci.NotFound("")
	case at.endpoint != git.UploadPackService && at.endpoint != git.ReceivePackService:
		return smartOnly()
	case r.Method != http.MethodPost:
		return wrongMethod(w, "POST")
	case r.Header.Get("Content-Type") != "application/x-"+at.endpoint+"-request":
		return ci.UnsupportedMedia("application/x-" + at.endpoint + "-request is the only one")
	}
	v, err := h.enter(r, at.project, at.endpoint)
	if err != nil {
		return err
	}
	if at.endpoint == git.ReceivePackService {
		return h.receive(w, r, v)
	}
	return h.upload(w, r, v)
}

// infoRefs answers GET info/refs, with which every fetch and push begins.
func (h *Handler) infoRefs(w http.ResponseWriter, r *http.Request, at place) error {
	service := r.URL.Query().Get("service")
	if service != git.UploadPackService && service != git.ReceivePackService {
		return smartOnly()
	}
	if !at.suffixed {
		return h.addSuffix(w, at, service)
	}
	v, err := h.enter(r, at.project, service)
	if err != nil {
		return err
	}
	header(w, "application/x-"+service+"-advertisement")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	s, err := h.stream(w, r, h.limits.fetchIdle)
	if err != nil {
		return err
	}
	leave, err := h.queue(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	err = h.git.InfoRefs(r.Context(), v.repository(), service, r.Header.Get("Git-Protocol"), s)
	return h.ended(r.Context(), s, v, err)
}

// addSuffix sends a client that left .git away to the full address, as GitLab does,
// whether or not there is such a project. The address has no host, so that the
// client stays with the name by which it reached the server.
func (h *Handler) addSuffix(w http.ResponseWriter, at place, service string) error {
	header(w, "text/plain; charset=utf-8")
	u := url.URL{Path: "/" + at.project + ".git/" + infoRefs}
	w.Header().Set("Location", h.urls.Path(u.EscapedPath())+"?service="+service)
	w.WriteHeader(http.StatusMovedPermanently)
	return nil
}

// header sets what all answers to git clients share: they must not be kept.
func header(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	w.Header().Set("Expires", "Fri, 01 Jan 1980 00:00:00 GMT")
	w.Header().Set("Pragma", "no-cache")
}

// smartOnly refuses the dumb protocol, with which old clients ask for files.
func smartOnly() error {
	return ci.Forbidden("Only git's smart HTTP protocol is served here. Update git to 1.6.6 or newer.")
}

// wrongMethod answers 405.
func wrongMethod(w http.ResponseWriter, allowed string) error {
	w.Header().Set("Allow", allowed)
	return &ci.Error{Kind: ci.KindMethod}
}

// answerText shows an error as plain text: git prints it behind "remote:". On a 401
// git asks its credential helper, or the user, and comes again.
func answerText(w http.ResponseWriter, _ *http.Request, p wire.Problem) error {
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
	}
	text := bare(p.Message)
	if p.Hint != "" {
		text += "\n" + p.Hint
	}
	if p.RequestID != "" {
		text += "\n(request " + p.RequestID + ")"
	}
	return wire.Text(w, p.Status, text+"\n")
}

// bare drops the status before a reason: git says the status itself.
func bare(message string) string {
	if status, reason, ok := strings.Cut(message, " - "); ok && (status == "403 Forbidden" || status == "400 Bad request") {
		return reason
	}
	return message
}
