package api

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// TestVariableComplaints holds that what is wrong with a variable is always told in
// the same order.
func TestVariableComplaints(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	_, h := serve(t, w)
	project := w.Project("variables")
	owner := w.Someone(project, ci.Maintainer)
	_, token, err := w.Engine.CreateAccessToken(t.Context(), engine.Caller{User: owner}, owner.ID, engine.NewAccessToken{Name: "v", Scopes: []string{auth.ScopeAPI}})
	enginetest.Check(t, err)
	path := "/projects/" + strconv.FormatInt(int64(project.ID), 10) + "/variables"
	wrong := url.Values{"variable_type": {"x"}, "masked": {"x"}, "value[]": {"x"}, "environment_scope[]": {"x"}, "description[]": {"x"}}
	const want = `{"error":"key is missing, variable_type does not have a valid value, masked is invalid, value is invalid, environment_scope is invalid, description is invalid"}`
	for range 20 {
		status, body := ask(t, h, "POST", path, wrong, "PRIVATE-TOKEN", token)
		if status != 400 || body != want {
			t.Fatalf("got %d\n%s\nwant 400\n%s", status, body, want)
		}
	}
}
