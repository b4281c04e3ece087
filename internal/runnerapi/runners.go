package runnerapi

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// credentials are what a runner learns about its own registration. Tokens do not
// expire here: a runner that saw a time would replace its token on its own.
type credentials struct {
	ID      ci.RunnerID `json:"id,omitempty"`
	Token   string      `json:"token"`
	Expires *string     `json:"token_expires_at"`
}

// verify tells a runner that its token is good, and notes the machine: the only
// call of `gitlab-runner register` with a token of ours.
func (a *API) verify(w http.ResponseWriter, r *http.Request) error {
	p, err := read(w, r)
	if err != nil {
		return err
	}
	machine := machineOf(r, p)
	runner, err := a.runner(r, p)
	if err != nil {
		return err
	}
	if _, err := a.engine.ContactRunner(r.Context(), runner, machine); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, credentials{ID: runner.ID, Token: p.String("token")})
}

// unregister removes a runner, by its own wish.
func (a *API) unregister(w http.ResponseWriter, r *http.Request) error {
	p, err := read(w, r)
	if err != nil {
		return err
	}
	runner, err := a.runner(r, p)
	if err != nil {
		return err
	}
	if err := a.engine.UnregisterRunner(r.Context(), runner); err != nil {
		return err
	}
	return wire.NoContent(w)
}

// unregisterManager removes one machine of a runner; the runner stays for others.
func (a *API) unregisterManager(w http.ResponseWriter, r *http.Request) error {
	p, err := read(w, r)
	if err != nil {
		return err
	}
	p.Require("token", "system_id")
	systemID := p.String("system_id")
	runner, err := a.runner(r, p)
	if err != nil {
		return err
	}
	if err := a.engine.UnregisterManager(r.Context(), runner, systemID); err != nil {
		return err
	}
	return wire.NoContent(w)
}

// resetToken gives a runner a new token; the one that it shows ends.
func (a *API) resetToken(w http.ResponseWriter, r *http.Request) error {
	p, err := read(w, r)
	if err != nil {
		return err
	}
	runner, err := a.runner(r, p)
	if err != nil {
		return err
	}
	token, err := a.engine.NewRunnerToken(r.Context(), runner)
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusCreated, credentials{Token: token})
}

// register refuses registration tokens, which GitLab has deprecated: runners are
// made by users and come with a token of their own.
func (a *API) register(w http.ResponseWriter, r *http.Request) error {
	p, err := read(w, r)
	if err != nil {
		return err
	}
	p.Require("token")
	if err := p.Err(); err != nil {
		return err
	}
	gone := &ci.Error{Kind: ci.KindGone, Message: "410 Gone - runner registration tokens are not supported"}
	return gone.WithHint("registration_token",
		"Create the runner first: POST /api/v4/user/runners. Then register with the glrt- token from its answer.")
}

// discovery declines to route jobs in any other way than jobs/request.
func (a *API) discovery(w http.ResponseWriter, _ *http.Request) error {
	return wire.JSON(w, http.StatusNotImplemented, map[string]string{"message": "501 Not Implemented"})
}

// machineOf is what a request says about the machine that it comes from.
func machineOf(r *http.Request, p *wire.Params) ci.RunnerManager {
	m := ci.RunnerManager{
		SystemID: p.String("system_id"),
		Name:     p.String("info[name]"), Version: p.String("info[version]"), Revision: p.String("info[revision]"),
		Platform: p.String("info[platform]"), Architecture: p.String("info[architecture]"), Executor: p.String("info[executor]"),
	}
	if addr := wire.ClientAddr(r.Context()); addr.IsValid() {
		m.IPAddress = addr.String()
	}
	return m
}

// featuresOf is what a runner says that it can do. Names that nobody here knows are
// kept: they do no harm.
func featuresOf(p *wire.Params) map[string]bool {
	announced := p.Map("info[features]")
	features := make(map[string]bool, announced.Len())
	for name, value := range announced.All() {
		switch value.Text {
		case "true", "1":
			features[name] = true
		default:
			features[name] = false
		}
	}
	return features
}

// contact is the machine that asks for work, noted as heard of.
func (a *API) contact(r *http.Request, runner ci.Runner, p *wire.Params) (engine.RunnerContact, error) {
	machine := machineOf(r, p)
	features := featuresOf(p)
	if err := p.Err(); err != nil {
		return engine.RunnerContact{}, err
	}
	manager, err := a.engine.ContactRunner(r.Context(), runner, machine)
	if err != nil {
		return engine.RunnerContact{}, err
	}
	return engine.RunnerContact{
		Runner: runner, Manager: manager, Features: features, Reach: engine.NewReach(runner),
	}, nil
}
