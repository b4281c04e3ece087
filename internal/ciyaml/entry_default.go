package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var defaultKeys = &keyset{[]string{
	"after_script", "artifacts", "before_script", "cache", "hooks", "id_tokens", "identity", "image", "interruptible", "retry",
	"services", "tags", "timeout",
},
}

// defaults reads default and the root keywords that say the same.
func (c *checker) defaults(root *tree.Node) *jobEntry {
	out := &jobEntry{}
	def := given(root, "default")
	if def != nil && !looksLikeJob(def) {
		p := &place{nil, "default"}
		if c.isMap(p, def) && c.keys(p, def, defaultKeys) {
			c.inheritable(p, def, out)
		}
	}
	var pairs []tree.Pair
	for _, key := range deprecated {
		if v := given(root, key); v != nil {
			pairs = append(pairs, tree.Pair{Key: key, KeyPos: keyPos(root, key), Value: v})
		}
	}
	c.inheritable(nil, &tree.Node{Kind: tree.Map, Pos: root.Pos, Pairs: pairs}, out)
	return out
}

// inheritable reads the keywords that a job can have from default. A nil place
// stands for the root, whose keywords have no prefix.
func (c *checker) inheritable(p *place, n *tree.Node, e *jobEntry) {
	at := func(key string) *place { return &place{p, key} }
	job := &e.job
	if given(n, "before_script") != nil {
		job.BeforeScript = c.script(p, n, "before_script")
	}
	if given(n, "after_script") != nil {
		job.AfterScript = c.script(p, n, "after_script")
	}
	if v := given(n, "cache"); v != nil {
		job.Cache = memo(c, "cache", v, func() []Cache { return c.caches(at("cache"), v) })
	}
	if v := given(n, "image"); v != nil {
		job.Image = memo(c, "image", v, func() *Image { return c.image(at("image"), v, imageKeys) })
	}
	if v := given(n, "services"); v != nil {
		job.Services = memo(c, "services", v, func() []Image { return c.services(at("services"), v) })
	}
	e.interruptible(c, at("interruptible"), given(n, "interruptible"))
	if v := given(n, "timeout"); v != nil {
		job.Timeout = c.seconds(at("timeout"), v, config, month)
	}
	if v := given(n, "retry"); v != nil {
		job.Retry = memo(c, "retry", v, func() Retry { return c.retry(v) })
	}
	if v := given(n, "tags"); v != nil {
		job.Tags = memo(c, "tags", v, func() []string { return c.tags(at("tags"), v) })
	}
	if v := given(n, "hooks"); v != nil {
		job.PreGetSources = c.hooks(at("hooks"), v)
	}
	if v := given(n, "id_tokens"); v != nil {
		c.notYet(keyPos(n, "id_tokens"), "id_tokens", noEffect)
		job.IDTokens = memo(c, "id_tokens", v, func() []IDToken { return c.idTokens(at("id_tokens"), v) })
	}
	if v := given(n, "identity"); v != nil {
		c.notYet(keyPos(n, "identity"), "identity", noEffect)
		job.Identity = c.identity(at("identity"), v)
	}
	if v := given(n, "artifacts"); v != nil {
		job.Artifacts = memo(c, "artifacts", v, func() *Artifacts { return c.artifacts(at("artifacts"), v) })
	}
}

func (e *jobEntry) interruptible(c *checker, p *place, n *tree.Node) {
	if n != nil {
		value := c.flag(p, n, config, false)
		e.interrupt = &value
	}
}

// complete takes from defaults what the job n does not say: each keyword
// whole, never merged with the job's own.
func (e *jobEntry) complete(n *tree.Node, defaults *jobEntry) {
	job, def := &e.job, &defaults.job
	lacks := func(key string) bool { return given(n, key) == nil && e.defaults.has(key) }
	if lacks("before_script") && job.Run == "" {
		job.BeforeScript = def.BeforeScript
	}
	if lacks("after_script") && job.Run == "" {
		job.AfterScript = def.AfterScript
	}
	if lacks("cache") {
		job.Cache = def.Cache
	}
	if lacks("image") {
		job.Image = def.Image
	}
	if lacks("services") {
		job.Services = def.Services
	}
	if lacks("interruptible") {
		e.interrupt = defaults.interrupt
	}
	if lacks("timeout") {
		job.Timeout = def.Timeout
	}
	if lacks("retry") {
		job.Retry = def.Retry
	}
	if lacks("tags") {
		job.Tags = def.Tags
	}
	if lacks("artifacts") {
		job.Artifacts = def.Artifacts
	}
	if lacks("hooks") {
		job.PreGetSources = def.PreGetSources
	}
	if lacks("id_tokens") {
		job.IDTokens = def.IDTokens
	}
	if lacks("identity") {
		job.Identity = def.Identity
	}
	job.Interruptible = e.interrupt != nil && *e.interrupt
	if job.Pages != nil {
		publish(job)
	}
}

var hooksKeys = &keyset{[]string{"pre_get_sources_script"}}

// hooks reads hooks, of which there is one.
func (c *checker) hooks(p *place, n *tree.Node) []string {
	if !c.isMap(p, n) || !c.keys(p, n, hooksKeys) {
		return nil
	}
	return c.script(p, n, "pre_get_sources_script")
}

// script reads one of the script keywords, whose elements may lie in nested
// lists.
func (c *checker) script(p *place, n *tree.Node, key string) []string {
	v := given(n, key)
	if v == nil {
		return nil
	}
	return memo(c, "script", v, func() []string {
		if v.Kind == tree.String {
			return []string{v.Text}
		}
		out, bad := flatTexts(v)
		if bad != nil {
			d := c.fail(&place{p, key}, bad.Pos, config, "should be a string or a nested array of strings up to 10 levels deep")
			if bad.Kind == tree.Map && len(bad.Pairs) == 1 {
				d.Hint = short(fmt.Sprintf("the colon after %q makes it a map; quote the line", bad.Pairs[0].Key))
			}
		}
		return out
	})
}

// maxTags is one more than a job may have.
const maxTags = 50

func (c *checker) tags(p *place, n *tree.Node) []string {
	out, bad := flatTexts(n)
	if bad != nil {
		c.fail(p, bad.Pos, config, "should be an array of strings")
	}
	if len(out) >= maxTags {
		c.fail(p, n.Pos, config, fmt.Sprintf("must be less than the limit of %d tags", maxTags))
	}
	return out
}

var retryKeys = &keyset{[]string{"max", "when", "exit_codes"}}

// failureReasons are those that retry:when can name.
var failureReasons = strings.Fields(`
	always unknown_failure script_failure api_failure stuck_or_timeout_failure runner_system_failure runner_unsupported
	stale_schedule job_execution_timeout archived_failure unmet_prerequisites scheduler_failure data_integrity_failure
	stuck_pending_with_matching_runners stuck_pending_no_matching_runners no_updates_running no_updates_canceling
	runner_configuration_error runner_external_dependency_failure runner_interrupted server_timeout_running
	server_timeout_canceling missing_dependency_failure forward_deployment_failure failed_outdated_deployment_job
	user_blocked project_deleted ci_quota_exceeded pipeline_loop_detected no_matching_runner trace_size_exceeded
	builds_disabled environment_creation_failure deployment_rejected protected_environment_failure
	downstream_bridge_project_not_found invalid_bridge_trigger bridge_pipeline_is_child_pipeline
	downstream_pipeline_creation_failed secrets_provider_not_found reached_max_descendant_pipelines_depth
	reached_max_pipeline_hierarchy_size insufficient_bridge_permissions insufficient_upstream_permissions
	ip_restriction_failure
`)

// retry reads retry, whose messages name it without its job.
func (c *checker) retry(n *tree.Node) Retry {
	p := &place{nil, "retry"}
	switch n.Kind {
	case tree.Map:
		return c.retryMap(p, n)
	case tree.Int, tree.Float:
		return Retry{Max: c.retryMax(p, n, config)}
	}
	c.fail(p, n.Pos, config, "has to be either an integer or a hash")
	return Retry{}
}

func (c *checker) retryMap(p *place, n *tree.Node) Retry {
	var out Retry
	if !c.keys(p, n, retryKeys) {
		return out
	}
	if v := given(n, "max"); v != nil {
		out.Max = c.retryMax(p, v, "max")
	}
	if v := given(n, "when"); v != nil {
		out.When = c.retryWhen(p, v)
	}
	out.ExitCodes = c.integers(p, given(n, "exit_codes"), "exit_codes")
	return out
}

func (c *checker) retryMax(p *place, n *tree.Node, attribute string) int {
	return c.within(p, n, attribute, 0, 2)
}

// within reads an integer between two bounds.
func (c *checker) within(p *place, n *tree.Node, attribute string, low, high int) int {
	i, ok := integer(n)
	switch {
	case n.Kind == tree.Float:
		c.fail(p, n.Pos, attribute, "must be an integer")
	case n.Kind != tree.Int:
		c.fail(p, n.Pos, attribute, "is not a number")
	case i < low && ok || !ok && strings.HasPrefix(n.Text, "-"):
		c.fail(p, n.Pos, attribute, fmt.Sprintf("must be greater than or equal to %d", low))
	case i > high || !ok:
		c.fail(p, n.Pos, attribute, fmt.Sprintf("must be less than or equal to %d", high))
	default:
		return i
	}
	return low
}

func (c *checker) retryWhen(p *place, n *tree.Node) []string {
	if n.Kind == tree.String {
		if !slices.Contains(failureReasons, n.Text) {
			c.fail(p, n.Pos, "when", "is not included in the list").Hint = didYouMean(n.Text, failureReasons)
		}
		return []string{n.Text}
	}
	words := c.listOrText(p, n, "when")
	c.known(p, n, "when", words, failureReasons)
	return words
}

// known refuses the words of a list that are not among those wanted.
func (c *checker) known(p *place, n *tree.Node, attribute string, words, wanted []string) {
	var unknown []string
	for _, word := range words {
		if !slices.Contains(wanted, word) {
			unknown = append(unknown, word)
		}
	}
	if unknown != nil {
		d := c.fail(p, n.Pos, attribute, "contains unknown values: "+strings.Join(unknown, ", "))
		for _, word := range unknown[:min(len(unknown), maxHinted)] {
			if d.Hint == "" {
				d.Hint = didYouMean(word, wanted)
			}
		}
	}
}
