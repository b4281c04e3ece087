package api

import (
	"errors"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// maxToken is the longest credential that is looked at.
const maxToken = 8192

// authenticate finds out who is calling, from the credentials in the places and
// the order of contract/trigger-api.md 3.1. Nobody is a caller too; a credential
// that is there and wrong never is nobody's. A job token counts on the routes that
// say so and is not looked at elsewhere.
func (c *call) authenticate() (engine.Caller, error) {
	bearer := c.bearer()
	if c.route.who&jobs != 0 && bearer != "" {
		caller, err := c.api.engine.AuthenticateJobToken(c.ctx(), bearer)
		if ci.KindOf(err) != ci.KindUnauthorized {
			return caller, err
		}
	}
	if token := firstOf(c.parameter("private_token"), c.r.Header.Get("PRIVATE-TOKEN"), bearer); token != "" {
		return c.accessToken(token)
	}
	if c.route.who&jobs == 0 {
		return engine.Caller{}, nil
	}
	token := firstOf(c.parameter("job_token"), c.parameter("token"), c.r.Header.Get("JOB-TOKEN"))
	if token == "" {
		return engine.Caller{}, nil
	}
	if len(token) > maxToken {
		return engine.Caller{}, c.miss(ci.Unauthorized())
	}
	caller, err := c.api.engine.AuthenticateJobToken(c.ctx(), token)
	if ci.KindOf(err) == ci.KindUnauthorized {
		return engine.Caller{}, c.miss(err)
	}
	return caller, err
}

// accessToken signs in by a personal access token and checks that its scopes
// suffice for the route.
func (c *call) accessToken(token string) (engine.Caller, error) {
	if len(token) > maxToken {
		return engine.Caller{}, c.miss(ci.Unauthorized())
	}
	caller, err := c.api.engine.AuthenticateAccessToken(c.ctx(), token)
	var known *engine.TokenError
	switch {
	case errors.As(err, &known):
		return engine.Caller{}, wire.InvalidToken(known.Description)
	case ci.KindOf(err) == ci.KindUnauthorized:
		return engine.Caller{}, c.miss(err)
	case err != nil:
		return engine.Caller{}, err
	case !auth.Scoped(caller.Scopes, c.route.use, c.r.Method):
		return engine.Caller{}, wire.InsufficientScope(auth.UseScopes(c.route.use)...)
	}
	return caller, c.noSudo(caller)
}

// noSudo refuses to act for somebody else, which takes a scope that no token here
// can have: going on as the caller themselves would not be what they asked for.
func (c *call) noSudo(caller engine.Caller) error {
	if firstOf(c.parameter("sudo"), c.r.Header.Get("Sudo")) == "" {
		return nil
	}
	if !caller.User.Admin {
		return ci.Forbidden("Must be admin to use sudo")
	}
	return wire.InsufficientScope("sudo")
}

// miss counts an attempt with an unknown token against the address that it came
// from. Its answer is err, or 429 when there were too many.
func (c *call) miss(err error) error {
	if ok, after := c.api.limiter.Take(wire.LimitKey(wire.ClientAddr(c.ctx()))); !ok {
		return wire.TooMany(after)
	}
	return err
}

// bearer is the token of the header Authorization, or the parameter that OAuth has
// for it.
func (c *call) bearer() string {
	const scheme = "bearer "
	header := c.r.Header.Get("Authorization")
	if len(header) > len(scheme) && strings.EqualFold(header[:len(scheme)], scheme) {
		return strings.TrimSpace(header[len(scheme):])
	}
	return c.parameter("access_token")
}

// parameter is a text among the parameters, "" when it is absent or no text.
func (c *call) parameter(name string) string {
	if t := c.params.Get(name); t != nil && t.Kind == wire.String {
		return t.Text
	}
	return ""
}

// firstOf gives the first text that is not empty.
func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
