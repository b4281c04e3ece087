package api

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// entryShape is a line of GitLab's repository tree.
type entryShape struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
	Path string `json:"path"`
	Mode string `json:"mode"`
}

// treeOrder puts folders before files before submodules.
var treeOrder = map[string]int{"tree": 0, "blob": 1, "commit": 2}

// listTree lists a folder at a branch, tag or commit.
func (a *API) listTree(c *call) error {
	page := c.params.Page()
	folder, ref, recursive := c.params.String("path"), c.params.String("ref"), c.params.Bool("recursive", false)
	keyset := c.params.Enum("pagination", "legacy", "legacy", "keyset", "none")
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	sha, err := a.git.Resolve(c.ctx(), int64(project.ID), firstOf(ref, ci.BranchPrefix+project.DefaultBranch))
	if errors.Is(err, git.ErrNotExist) {
		return ci.NotFound("Tree")
	}
	if err != nil {
		return err
	}
	entries, err := a.git.Tree(c.ctx(), int64(project.ID), sha, folder, recursive)
	if errors.Is(err, git.ErrNotExist) || ci.KindOf(err) == ci.KindInvalid {
		return ci.NotFound("invalid revision or path")
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(x, y git.Entry) int { return cmp.Compare(treeOrder[x.Type], treeOrder[y.Type]) })
	shapes := make([]entryShape, len(entries))
	for i, e := range entries {
		shapes[i] = entryShape{ID: e.SHA, Name: e.Name, Type: e.Type, Path: e.Path, Mode: e.Mode}
	}
	switch keyset {
	case "keyset":
		return c.treeAfter(shapes, page.PerPage)
	case "none":
		return c.json(http.StatusOK, shapes)
	}
	return c.page(page, wire.Found{Total: int64(len(shapes))}, part(shapes, page))
}

// treeAfter answers the entries behind the one that page_token names, with a link
// to those that follow.
func (c *call) treeAfter(entries []entryShape, limit int) error {
	if token := c.params.String("page_token"); token != "" {
		i := slices.IndexFunc(entries, func(e entryShape) bool { return e.ID == token })
		if i < 0 {
			return &ci.Error{Kind: ci.KindUnprocessable, Message: "Invalid page token: could not find the entry"}
		}
		entries = entries[i+1:]
	}
	if len(entries) > limit {
		entries = entries[:limit]
		query := withoutCredentials(url.Values(c.r.URL.Query()))
		query.Set("page_token", entries[limit-1].ID)
		query.Set("per_page", strconv.Itoa(limit))
		c.w.Header().Set("Link", "<"+c.api.urls.Abs(c.r.URL.EscapedPath())+"?"+query.Encode()+`>; rel="next"`)
	}
	return c.json(http.StatusOK, entries)
}
