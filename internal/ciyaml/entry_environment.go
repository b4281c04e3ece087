package ciyaml

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/duration"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var environmentKeys = &keyset{[]string{"name", "url", "action", "on_stop", "auto_stop_in", "kubernetes", "deployment_tier"}}

// environmentName is what names of environments and resource groups may have,
// variables included.
var environmentName = regexp.MustCompile(`\A[a-zA-Z0-9_$.{}\- ]([a-zA-Z0-9_/$.{}\- ]*[a-zA-Z0-9_$.{}\- ])?\z`)

const badEnvironmentName = "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'"

// environment reads environment: its name, or a map (contract 7.5).
func (c *checker) environment(p *place, n *tree.Node) *Environment {
	out := &Environment{Action: "start"}
	switch n.Kind {
	case tree.String:
		out.Name = n.Text
		c.environmentName(p, n, n)
		if !out.expandable() {
			out.derive()
		}
		return out
	case tree.Map:
	default:
		c.fail(p, n.Pos, config, "should be a hash or a string")
		return nil
	}
	before := len(c.diags)
	name := given(n, "name")
	c.environmentName(p, n, name)
	c.keys(p, n, environmentKeys)
	out.Name = textOf(name)
	if out.URL = c.text(p, given(n, "url"), "url"); utf8.RuneCountInString(out.URL) > maxName {
		c.fail(p, keyPos(n, "url"), "url", tooLongName)
	}
	if v := given(n, "action"); v != nil {
		actions := []string{"start", "stop", "prepare", "verify", "access"}
		if out.Action = v.Text; v.Kind != tree.String || !slices.Contains(actions, v.Text) {
			c.fail(p, v.Pos, "action", "should be start, stop, prepare, verify, or access").Hint = didYouMean(v.Text, actions)
		}
	}
	out.OnStop = c.text(p, given(n, "on_stop"), "on_stop")
	c.environmentTier(p, given(n, "deployment_tier"), out)
	c.environmentExpiry(p, given(n, "auto_stop_in"), out)
	kubernetes := given(n, "kubernetes")
	if kubernetes != nil && kubernetes.Kind != tree.Map {
		c.fail(p, kubernetes.Pos, "kubernetes", "should be a hash")
	}
	if kubernetes != nil && len(c.diags) == before {
		out.Kubernetes = c.kubernetes(p.child("kubernetes"), kubernetes)
	}
	if !out.expandable() {
		out.derive()
	}
	return out
}

// expandable reports whether a text of the environment has variables.
func (e *Environment) expandable() bool {
	return slices.ContainsFunc([]string{e.Name, e.AutoStopIn, e.Tier}, func(s string) bool { return len(expand.Names(s)) > 0 })
}

func (c *checker) environmentName(p *place, n, name *tree.Node) {
	switch {
	case empty(name):
		c.fail(p, keyPos(n, "name"), "name", "can't be blank")
	case name.Kind != tree.String, !environmentName.MatchString(name.Text):
		c.fail(p, name.Pos, "name", badEnvironmentName)
	case utf8.RuneCountInString(name.Text) > maxName:
		c.fail(p, name.Pos, "name", tooLongName)
	}
}

// environmentTier reads deployment_tier, which may be a variable.
func (c *checker) environmentTier(p *place, n *tree.Node, out *Environment) {
	tiers := []string{"production", "staging", "testing", "development", "other"}
	if n == nil {
		return
	}
	out.Tier = n.Text
	if n.Kind != tree.String || !slices.Contains(tiers, n.Text) && len(expand.Names(n.Text)) == 0 {
		c.fail(p, n.Pos, "deployment_tier", "must be one of "+strings.Join(tiers, ", ")).Hint = didYouMean(n.Text, tiers)
	}
}

// environmentExpiry reads auto_stop_in: a duration, never, or a variable.
func (c *checker) environmentExpiry(p *place, n *tree.Node, out *Environment) {
	if n == nil {
		return
	}
	out.AutoStopIn = n.Text
	if n.Kind == tree.String || n.Kind == tree.Int {
		if _, never, err := duration.Parse(n.Text); err == nil || never || len(expand.Names(n.Text)) > 0 {
			return
		}
	}
	c.fail(p, n.Pos, "auto_stop_in", "should be a duration")
}

var (
	kubernetesKeys = &keyset{[]string{"agent", "namespace", "flux_resource_path", "dashboard", "managed_resources"}}
	dashboardKeys  = &keyset{[]string{"namespace", "flux_resource_path"}}
	managedKeys    = &keyset{[]string{"enabled"}}
)

// kubernetes reads environment:kubernetes, where the newer dashboard takes the
// place of two older keys.
func (c *checker) kubernetes(p *place, n *tree.Node) *Kubernetes {
	if !c.keys(p, n, kubernetesKeys) {
		return nil
	}
	out := &Kubernetes{Agent: c.text(p, given(n, "agent"), "agent")}
	shown := n
	if v := given(n, "dashboard"); v != nil {
		at := p.child("dashboard")
		if !c.isMap(at, v) || !c.keys(at, v, dashboardKeys) {
			return nil
		}
		shown = v
	}
	out.Namespace = c.text(p, given(shown, "namespace"), "namespace")
	out.FluxResourcePath = c.text(p, given(shown, "flux_resource_path"), "flux_resource_path")
	switch {
	case out.FluxResourcePath != "" && out.Namespace == "":
		c.fail(p, n.Pos, "namespace", "can't be blank")
	case out.Namespace != "" && out.Agent == "":
		c.fail(p, n.Pos, "agent", "can't be blank")
	}
	if v := given(n, "managed_resources"); v != nil {
		at := p.child("managed_resources")
		if c.isMap(at, v) && c.keys(at, v, managedKeys) {
			enabled := c.flag(at, given(v, "enabled"), "enabled", true)
			out.ManagedResources = &enabled
		}
	}
	return out
}

// resourceGroup reads resource_group.
func (c *checker) resourceGroup(p *place, n *tree.Node) string {
	switch {
	case n == nil:
		return ""
	case n.Kind != tree.String:
		c.fail(p, n.Pos, "resource_group", "should be a string")
	case utf8.RuneCountInString(n.Text) > maxName:
		c.fail(p, n.Pos, "resource_group", tooLongName)
	case !environmentName.MatchString(n.Text):
		c.fail(p, n.Pos, "resource_group", badEnvironmentName)
	}
	return n.Text
}
