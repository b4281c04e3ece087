package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// fileShape is GitLab's file of a repository.
type fileShape struct {
	FileName        string `json:"file_name"`
	FilePath        string `json:"file_path"`
	Size            int    `json:"size"`
	Encoding        string `json:"encoding"`
	ContentSHA256   string `json:"content_sha256"`
	Ref             string `json:"ref"`
	BlobID          string `json:"blob_id"`
	CommitID        string `json:"commit_id"`
	LastCommitID    string `json:"last_commit_id"`
	ExecuteFilemode bool   `json:"execute_filemode"`
	Content         string `json:"content"`
}

// headers says the same, but for the content, for those who ask with HEAD.
func (f fileShape) headers(h http.Header) {
	h.Set("X-Gitlab-File-Name", f.FileName)
	h.Set("X-Gitlab-File-Path", f.FilePath)
	h.Set("X-Gitlab-Size", strconv.Itoa(f.Size))
	h.Set("X-Gitlab-Encoding", f.Encoding)
	h.Set("X-Gitlab-Content-Sha256", f.ContentSHA256)
	h.Set("X-Gitlab-Ref", f.Ref)
	h.Set("X-Gitlab-Blob-Id", f.BlobID)
	h.Set("X-Gitlab-Commit-Id", f.CommitID)
	h.Set("X-Gitlab-Last-Commit-Id", f.LastCommitID)
	h.Set("X-Gitlab-Execute-Filemode", strconv.FormatBool(f.ExecuteFilemode))
}

// file reads the file that the path of a call names, as it is at a branch, tag or
// commit; HEAD is the default branch.
func (c *call) file(project ci.Project, ref string) (fileShape, []byte, error) {
	name := c.r.PathValue("file_path")
	rev := ref
	if rev == "HEAD" {
		rev = ci.BranchPrefix + project.DefaultBranch
	}
	id := int64(project.ID)
	sha, err := c.api.git.Resolve(c.ctx(), id, rev)
	if errors.Is(err, git.ErrNotExist) {
		return fileShape{}, nil, ci.NotFound("Commit")
	}
	if err != nil {
		return fileShape{}, nil, err
	}
	entry, err := c.entry(id, sha, name)
	if err != nil {
		return fileShape{}, nil, err
	}
	content, err := c.api.git.ReadFile(c.ctx(), id, sha, name)
	if errors.Is(err, git.ErrTooLarge) {
		return fileShape{}, nil, ci.TooLarge("The file is too large to be read through the API")
	}
	if err != nil {
		return fileShape{}, nil, err
	}
	last, err := c.api.git.Log(c.ctx(), id, git.LogQuery{Rev: sha, Path: name, Limit: 1})
	if err != nil {
		return fileShape{}, nil, err
	}
	sum := sha256.Sum256(content)
	shape := fileShape{
		FileName: entry.Name, FilePath: name, Size: len(content), Encoding: "base64", ContentSHA256: hex.EncodeToString(sum[:]),
		Ref: ref, BlobID: entry.SHA, CommitID: sha, ExecuteFilemode: entry.Mode == "100755",
	}
	if len(last) > 0 {
		shape.LastCommitID = last[0].SHA
	}
	return shape, content, nil
}

// entry finds a file in its folder.
func (c *call) entry(project int64, sha, name string) (git.Entry, error) {
	if git.CheckPath(name) != nil {
		return git.Entry{}, ci.NotFound("File")
	}
	folder := path.Dir(name)
	if folder == "." {
		folder = ""
	}
	entries, err := c.api.git.Tree(c.ctx(), project, sha, folder, false)
	if err != nil && !errors.Is(err, git.ErrNotExist) {
		return git.Entry{}, err
	}
	for _, e := range entries {
		if e.Path == name && e.Type == "blob" {
			return e, nil
		}
	}
	return git.Entry{}, ci.NotFound("File")
}

// getFile shows a file with its content, or to HEAD without.
func (a *API) getFile(c *call) error {
	c.params.RequireFilled("ref")
	ref := c.params.String("ref")
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	shape, content, err := c.file(project, ref)
	if err != nil {
		return err
	}
	shape.headers(c.w.Header())
	if c.r.Method == http.MethodHead {
		c.w.Header().Set("Content-Type", "application/json")
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	shape.Content = base64.StdEncoding.EncodeToString(content)
	return c.json(http.StatusOK, shape)
}

// getRawFile sends a file as it is. Browsers are told not to take it for a page.
func (a *API) getRawFile(c *call) error {
	ref := firstOf(c.params.String("ref"), "HEAD")
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	shape, content, err := c.file(project, ref)
	if err != nil {
		return err
	}
	h := c.w.Header()
	shape.headers(h)
	h.Set("Content-Type", "application/octet-stream")
	if utf8.Valid(content) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": shape.FileName}))
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Cache-Control", "max-age=0, private, must-revalidate, no-store, no-cache")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if _, err := c.w.Write(content); err != nil {
		return fmt.Errorf("send file: %w", err)
	}
	return nil
}

// createFile adds a file by a commit.
func (a *API) createFile(c *call) error {
	return a.commitFile(c, git.ActionCreate, func() error {
		return c.json(http.StatusCreated, c.committed())
	})
}

// updateFile changes a file by a commit.
func (a *API) updateFile(c *call) error {
	return a.commitFile(c, git.ActionUpdate, func() error {
		return c.json(http.StatusOK, c.committed())
	})
}

// deleteFile removes a file by a commit.
func (a *API) deleteFile(c *call) error {
	return a.commitFile(c, git.ActionDelete, func() error { return wire.NoContent(c.w) })
}

// committed is the answer to a commit of one file.
func (c *call) committed() map[string]string {
	return map[string]string{"file_path": c.r.PathValue("file_path"), "branch": c.params.String("branch")}
}

// commitFile makes a commit that does one thing to the file that the path names.
func (a *API) commitFile(c *call, kind git.ActionKind, answer func() error) error {
	c.params.Require("branch", "commit_message")
	action := git.Action{Kind: kind, Path: c.r.PathValue("file_path"), LastCommitID: c.params.String("last_commit_id")}
	if kind != git.ActionDelete {
		c.params.Require("content")
		action.Content = c.content("content", c.params.String("content"), c.params.String("encoding"))
	}
	request := c.commitRequest()
	request.Actions = []git.Action{action}
	if c.params.Has("execute_filemode") && kind != git.ActionDelete {
		chmod := git.Action{Kind: git.ActionChmod, Path: action.Path, Executable: c.params.Bool("execute_filemode", false)}
		request.Actions = append(request.Actions, chmod)
	}
	project, err := c.pushTo(request)
	if err != nil {
		return err
	}
	_, err = a.engine.CommitFiles(c.ctx(), c.caller, project, request)
	switch {
	case errors.Is(err, git.ErrFileChanged) && kind == git.ActionDelete:
		return &ci.Error{Kind: ci.KindInvalid, Message: "You are attempting to delete a file that has been previously updated."}
	case errors.Is(err, git.ErrFileChanged):
		return &ci.Error{Kind: ci.KindInvalid, Message: "You are attempting to update a file that has changed since you started editing it."}
	case err != nil:
		return err
	}
	return answer()
}
