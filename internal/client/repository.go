package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// A Project is one on the server.
type Project struct {
	ID            int64  `json:"id"`
	Path          string `json:"path_with_namespace"`
	DefaultBranch string `json:"default_branch"`
}

// A Tag is one of a repository, with the commit that it means.
type Tag struct {
	Name   string `json:"name"`
	Commit struct {
		SHA string `json:"id"`
	} `json:"commit"`
}

// maxFile bounds a file that is read, in bytes.
const maxFile = 4 << 20

// maxPages bounds lists.
const maxPages = 1000

// Project finds a project by id or full path.
func (c *Client) Project(ctx context.Context, idOrPath string) (Project, error) {
	var project Project
	return project, c.get(ctx, projectPath(idOrPath), &project)
}

// Commit finds the commit that a branch, a tag or a commit's name means.
func (c *Client) Commit(ctx context.Context, project, rev string) (sha string, err error) {
	var commit struct {
		SHA string `json:"id"`
	}
	err = c.get(ctx, projectPath(project)+"/repository/commits/"+url.PathEscape(rev), &commit)
	return commit.SHA, err
}

// File reads a file at a commit; what is longer than 4 MiB is cut.
func (c *Client) File(ctx context.Context, project, sha, path string) ([]byte, error) {
	path = projectPath(project) + "/repository/files/" + url.PathEscape(path) + "/raw?ref=" + url.QueryEscape(sha)
	return c.read(ctx, call{method: http.MethodGet, path: path, max: maxFile})
}

// Files lists the paths of all files at a commit.
func (c *Client) Files(ctx context.Context, project, sha string) ([]string, error) {
	type entry struct{ Type, Path string }
	entries, err := list[entry](ctx, c, projectPath(project)+"/repository/tree?recursive=true&ref="+url.QueryEscape(sha))
	var paths []string
	for _, e := range entries {
		if e.Type == "blob" {
			paths = append(paths, e.Path)
		}
	}
	return paths, err
}

// Tags lists the tags of a project.
func (c *Client) Tags(ctx context.Context, project string) ([]Tag, error) {
	return list[Tag](ctx, c, projectPath(project)+"/repository/tags?order_by=name")
}

func projectPath(idOrPath string) string { return "/projects/" + url.PathEscape(idOrPath) }

// list reads all pages of a list.
func list[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var all []T
	for page := 1; page <= maxPages; page++ {
		var some []T
		if err := c.get(ctx, fmt.Sprintf("%s&per_page=%d&page=%d", path, perPage, page), &some); err != nil {
			return nil, err
		}
		if all = append(all, some...); len(some) < perPage {
			return all, nil
		}
	}
	return nil, fmt.Errorf("list of %s has more than %d entries", path, perPage*maxPages)
}
