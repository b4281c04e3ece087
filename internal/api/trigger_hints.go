package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// The hints here are about the request alone: before the token has proved itself
// for this project they must not tell anything else.

// wrongKinds are the prefixes of credentials that people send instead of a trigger
// token, with what they are.
var wrongKinds = []struct{ prefix, hint string }{
	{"glpat-", "This looks like a personal access token (glpat-). Send a trigger token (glptt-) or CI_JOB_TOKEN; with a personal token use POST /projects/:id/pipeline."},
	{"glcbt-", "This looks like a job token (glcbt-). It counts for this project only while its job runs and if the project lets it: see its job token allow-list."},
	{"glrt-", "This looks like a runner token (glrt-). Send a trigger token (glptt-) or CI_JOB_TOKEN."},
	{"gldt-", "This looks like a deploy token (gldt-). Send a trigger token (glptt-) or CI_JOB_TOKEN."},
	{"glsoat-", "This looks like a service account token (glsoat-). Send a trigger token (glptt-) or CI_JOB_TOKEN."},
	{"gloas-", "This looks like an OAuth secret (gloas-). Send a trigger token (glptt-) or CI_JOB_TOKEN."},
	{"glft-", "This looks like a feed token (glft-). Send a trigger token (glptt-) or CI_JOB_TOKEN."},
	{"ghp_", "This looks like a token of another service (ghp_). Send a trigger token (glptt-) or CI_JOB_TOKEN."},
	{"xox", "This looks like a token of another service (xox). Send a trigger token (glptt-) or CI_JOB_TOKEN."},
}

// tokenHint is the code and the hint for a token that started nothing.
func tokenHint(token string) (code, hint string) {
	for _, kind := range wrongKinds {
		if strings.HasPrefix(token, kind.prefix) {
			return "token_wrong_kind", kind.hint
		}
	}
	return "not_found", "No project and token pair matches. Check the id on the project page; a token works for one project only."
}

// triggerParamHint adds to a complaint about parameters what most likely happened.
func triggerParamHint(p *wire.Params, err error) error {
	e, ok := errors.AsType[*ci.Error](err)
	if !ok || e.Hint != "" {
		return err
	}
	switch given := p.Get("variables"); {
	case !p.Has("ref") && p.Source("token") == wire.FromQuery:
		return e.WithHint("ref_missing", "If you typed this in a shell, quote the URL: everything after & was lost.")
	case given != nil && given.Kind == wire.List:
		return e.WithHint("variables_not_a_map", "That is the shape of POST /projects/:id/pipeline. Here: variables[KEY]=value.")
	case given != nil && given.Kind != wire.Map && given.Kind != wire.Null:
		return e.WithHint("variables_not_a_map", "Send each variable as variables[KEY]=value, or a JSON object of strings.")
	}
	return e
}

// variableHint names the first variable that is no text.
func variableHint(key string, value *wire.Tree) string {
	kinds := map[wire.Kind]string{
		wire.Null: "null", wire.Bool: "a boolean", wire.Number: "a number", wire.List: "a list", wire.Map: "an object",
	}
	if !ci.ValidKey(key) || len(key) > 100 {
		return "A value is " + kinds[value.Kind] + ". Send every value as text, in quotes."
	}
	return fmt.Sprintf("%s is %s. Send every value as text, in quotes.", key, kinds[value.Kind])
}
