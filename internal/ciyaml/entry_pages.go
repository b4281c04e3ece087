package ciyaml

import (
	"slices"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/duration"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var pagesKeys = &keyset{[]string{"publish", "path_prefix", "expire_in"}}

// pages reads pages and publish. A job is one for pages if it says so, or if it
// is called pages and does not deny it (contract 7.10).
func (c *checker) pages(p *place, n *tree.Node, e *jobEntry) {
	v := given(n, "pages")
	out := &Pages{Publish: "public"}
	is := e.job.BaseName == "pages"
	switch {
	case v == nil:
	case v.Kind == tree.Bool:
		is = v.Text == "true"
	case v.Kind == tree.Map:
		is = true
		c.pagesMap(p.child("pages"), v, out)
	default:
		c.fail(p, v.Pos, "pages", "should be a hash or a boolean value")
	}
	if publish := given(n, "publish"); publish != nil {
		if !is {
			c.fail(p, keyPos(n, "publish"), "publish", "can only be used within a `pages` job")
		}
		out.Publish = c.text(p, publish, "publish")
	}
	if is {
		e.job.Pages = out
	}
}

func (c *checker) pagesMap(p *place, n *tree.Node, out *Pages) {
	if !c.keys(p, n, pagesKeys) {
		return
	}
	if v := given(n, "publish"); v != nil {
		out.Publish = c.text(p, v, "publish")
	}
	out.PathPrefix = c.text(p, given(n, "path_prefix"), "path_prefix")
	if v := given(n, "expire_in"); v != nil {
		out.ExpireIn = v.Text
		if _, never, err := duration.Parse(v.Text); err != nil && !never || v.Kind != tree.String && v.Kind != tree.Int {
			c.fail(p, v.Pos, "expire_in", "should be a duration")
		}
	}
}

// publish gives a job for pages its folder as an artifact.
func publish(job *Job) {
	a := Artifacts{}
	if job.Artifacts != nil {
		a = *job.Artifacts
	}
	if !slices.Contains(a.Paths, job.Pages.Publish) {
		a.Paths = append(slices.Clone(a.Paths), job.Pages.Publish)
	}
	job.Artifacts = &a
}
