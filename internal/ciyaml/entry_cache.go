package ciyaml

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

const (
	maxCaches       = 4
	maxFallbackKeys = 5
	maxKeyFiles     = 2
)

var cacheKeys = &keyset{[]string{"key", "untracked", "paths", "policy", "unprotect", "fallback_keys", "when"}}

var cacheKeyKeys = &keyset{[]string{"files", "files_commits", "prefix"}}

// caches reads one cache or a list of them (contract 7.4). A cache without
// anything to keep is left out, so that an empty one disables the default.
func (c *checker) caches(p *place, n *tree.Node) []Cache {
	items := []*tree.Node{n}
	if n.Kind == tree.Seq {
		if len(n.Items) > maxCaches {
			c.fail(p, n.Items[maxCaches].Pos, config, fmt.Sprintf("no more than %d caches can be created", maxCaches))
			return nil
		}
		items, p = n.Items, p.child("cache")
	}
	out := make([]Cache, 0, len(items))
	for _, item := range items {
		if !c.isMap(p, item) || !c.keys(p, item, cacheKeys) {
			continue
		}
		if cache := c.cache(p, item); len(cache.Paths) > 0 || cache.Untracked {
			out = append(out, cache)
		}
	}
	return out
}

func (c *checker) cache(p *place, n *tree.Node) Cache {
	out := Cache{Key: "default"}
	out.When = c.choice(p, given(n, "when"), "when", "on_success", "on_success", "on_failure", "always")
	out.Policy = c.cachePolicy(p, given(n, "policy"))
	out.Untracked = c.flag(p.child("untracked"), given(n, "untracked"), config, false)
	out.Unprotect = c.flag(p, given(n, "unprotect"), "unprotect", false)
	if v := given(n, "fallback_keys"); v != nil {
		if out.FallbackKeys = c.list(p, v, "fallback_keys"); len(out.FallbackKeys) > maxFallbackKeys {
			c.fail(p, v.Pos, "fallback_keys", fmt.Sprintf("has to many entries (maximum %d)", maxFallbackKeys))
		}
	}
	if v := given(n, "key"); v != nil {
		c.cacheKey(p.child("key"), v, &out)
	}
	out.Paths = c.list(p.child("paths"), given(n, "paths"), config)
	return out
}

// cachePolicy reads policy, which may be a variable.
func (c *checker) cachePolicy(p *place, n *tree.Node) string {
	policies := []string{"pull-push", "push", "pull"}
	switch {
	case n == nil:
		return policies[0]
	case n.Kind == tree.String && (slices.Contains(policies, n.Text) || strings.HasPrefix(n.Text, "$")):
		return n.Text
	}
	c.fail(p, n.Pos, "policy", "should be a variable or one of: "+strings.Join(policies, ", ")).Hint = didYouMean(n.Text, policies)
	return ""
}

// cacheKey reads key: a text, or files whose content makes it.
func (c *checker) cacheKey(p *place, n *tree.Node, out *Cache) {
	if n.Kind != tree.Map {
		if n.Kind != tree.String {
			c.fail(p, n.Pos, config, "should be a string or symbol")
			return
		}
		c.keyText(p, n)
		out.Key = n.Text
		return
	}
	if !c.keys(p, n, cacheKeyKeys) {
		return
	}
	files, key := given(n, "files"), "files"
	if commits := given(n, "files_commits"); commits != nil {
		if files != nil {
			c.fail(p, keyPos(n, "files_commits"), config, "these keys cannot be used together: files, files_commits")
			return
		}
		files, key, out.KeyCommits = commits, "files_commits", true
	}
	if files == nil {
		c.fail(p, n.Pos, config, "missing required keys: files")
		return
	}
	at := p.child(key)
	out.KeyFiles = c.list(at, files, config)
	switch {
	case files.Kind == tree.Seq && len(files.Items) == 0:
		c.fail(at, files.Pos, config, "requires at least 1 item")
	case len(out.KeyFiles) > maxKeyFiles:
		c.fail(at, files.Pos, config, fmt.Sprintf("has too many items (maximum is %d)", maxKeyFiles))
	}
	if v := given(n, "prefix"); v != nil {
		at := p.child("prefix")
		if v.Kind != tree.String {
			c.fail(at, v.Pos, config, "should be a string or symbol")
			return
		}
		c.keyText(at, v)
		out.KeyPrefix = v.Text
	}
	out.Key = ""
}

// keyText checks what may not be part of a file's name, escaped or not.
func (c *checker) keyText(p *place, n *tree.Node) {
	plain, err := url.PathUnescape(n.Text)
	if err != nil {
		plain = n.Text
	}
	if strings.Contains(plain, "/") {
		c.fail(p, n.Pos, config, `cannot contain the "/" character`)
	}
	if plain == "." || plain == ".." {
		c.fail(p, n.Pos, config, `cannot be "." or ".."`)
	}
}
