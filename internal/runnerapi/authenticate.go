package runnerapi

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// maxToken is the longest credential that is looked at.
const maxToken = 8192

// runner finds the runner whose token is among the parameters. Errors: 400 when
// there is none, 403 for an unknown one, 429 for too many of those.
func (a *API) runner(r *http.Request, p *wire.Params) (ci.Runner, error) {
	p.Require("token")
	token := p.String("token")
	if err := p.Err(); err != nil {
		return ci.Runner{}, err
	}
	if len(token) > maxToken {
		return ci.Runner{}, a.miss(r, ci.Forbidden(""))
	}
	runner, err := a.engine.AuthenticateRunner(r.Context(), token)
	if ci.KindOf(err) == ci.KindForbidden {
		return ci.Runner{}, a.miss(r, err)
	}
	if err == nil {
		wire.Annotate(r.Context(), slog.Int64("runner", int64(runner.ID)))
	}
	return runner, err
}

// jobID is the job that a request names.
func jobID(r *http.Request, p *wire.Params) ci.JobID {
	id := p.Int("id", 0)
	wire.Annotate(r.Context(), slog.Int64("job", id))
	return ci.JobID(id)
}

// jobToken is the token of the job that a request is about: a parameter, or the
// header of newer runners. The parameter wins.
func jobToken(r *http.Request, p *wire.Params) string {
	token := p.String("token")
	if token == "" {
		token = r.Header.Get("Job-Token")
	}
	if len(token) > maxToken {
		return ""
	}
	return token
}

// report answers for what became of a runner's report on a job: every answer tells
// the status that the job has now, as soon as the token was found good. A job that
// no runner holds any more is 403, so that the runner drops it.
func (a *API) report(w http.ResponseWriter, r *http.Request, status ci.Status, err error) error {
	if status != "" {
		w.Header().Set("Job-Status", string(status))
	}
	if over, ok := errors.AsType[*engine.NotRunning](err); ok {
		w.Header().Set("Job-Status", string(over.Status))
		return ci.Forbidden("Job is not running")
	}
	if status == "" && ci.KindOf(err) == ci.KindForbidden {
		return a.miss(r, err)
	}
	return err
}

// miss counts an attempt with an unknown token against the address that it came
// from. Its answer is err, or 429 when there were too many.
func (a *API) miss(r *http.Request, err error) error {
	if ok, after := a.limiter.Take(wire.LimitKey(wire.ClientAddr(r.Context()))); !ok {
		return wire.TooMany(after)
	}
	return err
}
