package ciyaml

import (
	"time"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var (
	releaseKeys = &keyset{[]string{
		"tag_name", "tag_message", "name", "ref", "description", "milestones", "released_at", "assets",
	}}
	assetsKeys = &keyset{[]string{"links"}}
	linkKeys   = &keyset{[]string{"name", "url", "filepath", "link_type"}}
)

// release reads release (contract 7.7).
func (c *checker) release(p *place, n *tree.Node) *Release {
	if !c.isMap(p, n) {
		return nil
	}
	before := len(c.diags)
	c.keys(p, n, releaseKeys)
	for _, key := range []string{"tag_name", "description"} {
		if empty(n.Get(key)) {
			c.fail(p, keyPos(n, key), key, "can't be blank")
		}
	}
	out := &Release{
		TagName:     c.text(p, given(n, "tag_name"), "tag_name"),
		TagMessage:  c.text(p, given(n, "tag_message"), "tag_message"),
		Name:        c.text(p, given(n, "name"), "name"),
		Ref:         c.text(p, given(n, "ref"), "ref"),
		Description: c.text(p, given(n, "description"), "description"),
		Milestones:  c.listOrText(p, given(n, "milestones"), "milestones"),
	}
	if v := given(n, "released_at"); v != nil {
		out.ReleasedAt = v.Text
		if v.Kind != tree.String || !isDatetime(v.Text) && len(expand.Names(v.Text)) == 0 {
			c.fail(p, v.Pos, "released_at", "must be a valid datetime")
		}
	}
	assets := given(n, "assets")
	if assets != nil && len(c.diags) == before {
		out.Links = c.releaseLinks(p.child("assets"), assets)
	}
	return out
}

// isDatetime reports whether a text is a time as ISO 8601 writes it.
func isDatetime(text string) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

func (c *checker) releaseLinks(p *place, n *tree.Node) []ReleaseLink {
	if !c.isMap(p, n) || !c.keys(p, n, assetsKeys) {
		return nil
	}
	links := given(n, "links")
	if links == nil || links.Kind != tree.Seq || !all(links.Items, isHash) {
		c.fail(p, keyPos(n, "links"), "links", "should be an array of hashes")
		return nil
	}
	p = p.child("links")
	out := make([]ReleaseLink, 0, len(links.Items))
	for _, item := range links.Items {
		at := p.child("link")
		c.keys(at, item, linkKeys)
		for _, key := range []string{"name", "url"} {
			if empty(item.Get(key)) {
				c.fail(at, keyPos(item, key), key, "can't be blank")
			}
		}
		out = append(out, ReleaseLink{
			Name:     c.text(at, given(item, "name"), "name"),
			URL:      c.text(at, given(item, "url"), "url"),
			FilePath: c.text(at, given(item, "filepath"), "filepath"),
			Type:     c.choice(at, given(item, "link_type"), "link_type", "", "other", "runbook", "image", "package"),
		})
	}
	return out
}

func all(items []*tree.Node, want func(*tree.Node) bool) bool {
	for _, item := range items {
		if !want(item) {
			return false
		}
	}
	return true
}
