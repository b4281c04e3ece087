package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// trigger starts a pipeline with a trigger token or the token of a running job.
// It asks for nothing else: who is signed in plays no part. The order of checks is
// that of contract/trigger-api.md 1.7.
func (a *API) trigger(c *call) error {
	p := c.params
	p.RequireFilled("ref")
	p.Require("token")
	ref, token := p.String("ref"), p.String("token")
	given, givenInputs := p.Map("variables"), p.Map("inputs")
	if err := p.Err(); err != nil {
		return triggerParamHint(p, err)
	}
	if c.r.Header.Get("X-Gitlab-Event") == "Pipeline Hook" { // a pipeline that ends must not start the next one
		return ci.Forbidden("")
	}
	variables, err := triggerVariables(given)
	if err != nil {
		return err
	}
	request := engine.TriggerRequest{Project: c.r.PathValue("id"), Token: token, Ref: ref, Variables: variables}
	if request.Inputs, err = inputs(givenInputs); err != nil {
		return err
	}
	if request.IdempotencyKey, err = idempotencyKey(c.r.Header); err != nil {
		return err
	}
	p.Default("variables", wire.NewMap())
	payload := p.Payload()
	request.Payload = string(payload)
	if request.IdempotencyKey != "" {
		if request.BodyDigest, err = canonicalDigest(payload); err != nil {
			return err
		}
	}
	made, err := a.engine.Trigger(c.ctx(), request)
	if made.Replayed {
		c.w.Header().Set("X-Lanyard-Replayed", "true")
	}
	if err != nil {
		return c.triggerRefusal(token, err)
	}
	wire.Annotate(c.ctx(), slog.Int64("project", int64(made.Project.ID)), slog.Int64("pipeline", int64(made.Pipeline.ID)))
	return c.json(http.StatusCreated, a.pipelineShape(made.Pipeline, made.Project, pipelineFacts{user: made.User}))
}

// triggerByGet answers browsers and uptime checkers, as GitLab's documentation
// says: the address is not there for GET.
func (a *API) triggerByGet(c *call) error {
	c.w.Header().Set("Allow", http.MethodPost)
	return ci.NotFound("").WithHint("use_post", "Use POST; a browser or an uptime checker sends GET.")
}

// triggerVariables reads the map of variables: every value must be text, since a
// job can see nothing else.
func triggerVariables(given *wire.Tree) ([]ci.Variable, error) {
	var variables []ci.Variable
	for key, value := range given.All() {
		if value.Kind != wire.String {
			e := &ci.Error{Kind: ci.KindInvalid, Message: "variables needs to be a map of key-valued strings"}
			return nil, e.WithHint("variables_not_strings", variableHint(key, value))
		}
		variables = append(variables, ci.Variable{Key: key, Value: value.Text})
	}
	return variables, nil
}

// inputs reads the map of inputs: any JSON, in a form as text.
func inputs(given *wire.Tree) ([]ci.Input, error) {
	var list []ci.Input
	for name, value := range given.All() {
		if value.Form && value.Kind == wire.String {
			list = append(list, ci.TextInput(name, value.Text))
			continue
		}
		encoded, err := value.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("encode input: %w", err)
		}
		list = append(list, ci.Input{Name: name, JSON: string(encoded)})
	}
	return list, nil
}

// maxIdempotencyKey is the longest Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// idempotencyKey reads the header of that name; "" when it is not there.
func idempotencyKey(h http.Header) (string, error) {
	key := h.Get("Idempotency-Key")
	if len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", ci.BadParam(fmt.Sprintf("Idempotency-Key must be at most %d printable ASCII characters", maxIdempotencyKey))
	}
	return key, nil
}

// canonicalDigest tells two requests under one Idempotency-Key apart. The order of
// their parameters does not, nor the token, which the payload leaves out.
func canonicalDigest(payload []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("read own payload: %w", err)
	}
	canonical, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("encode canonical parameters: %w", err)
	}
	digest := sha256.Sum256(canonical)
	return digest[:], nil
}

// triggerRefusal counts unknown pairs of project and token against the address,
// and adds what the request itself shows about its token.
func (c *call) triggerRefusal(token string, err error) error {
	refused, ok := errors.AsType[*ci.Error](err)
	if !ok || refused.Kind != ci.KindNotFound {
		return err
	}
	if refused.Code == "" {
		refused = refused.WithHint(tokenHint(token))
	}
	return c.miss(refused)
}
