package api

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// getArtifacts sends the archive of a job.
func (a *API) getArtifacts(c *call) error {
	job, project, err := c.job()
	if err != nil {
		return err
	}
	return c.sendArchive(project, job)
}

// getArtifactPart serves what is below the artifacts of a job: a file out of the
// archive, or the tree of it. Other parts of a job have no paths below them.
func (a *API) getArtifactPart(c *call) error {
	if c.r.PathValue("part") != "artifacts" {
		return ci.NotFound("")
	}
	if c.r.PathValue("artifact_path") == "tree" {
		return a.artifactTree(c)
	}
	job, project, err := c.job()
	if err != nil {
		return err
	}
	return c.sendArtifactFile(project, job, c.r.PathValue("artifact_path"))
}

// getLatestArtifacts serves the archive of the newest successful job of a name on a
// ref, or a file out of it.
func (a *API) getLatestArtifacts(c *call) error {
	c.params.Require("job")
	name, ref := c.params.String("job"), c.r.PathValue("ref")
	file, raw := strings.CutPrefix(c.r.PathValue("artifact_path"), "raw/")
	if !raw && file != "download" {
		return ci.NotFound("")
	}
	project, err := c.project()
	if err != nil {
		return err
	}
	job, err := a.view.LatestJobWithArtifacts(c.ctx(), project.ID, ref, name)
	if err != nil {
		return err
	}
	if raw {
		return c.sendArtifactFile(project, job, file)
	}
	return c.sendArchive(project, job)
}

// archive finds the archive of a job for a caller who may read it.
func (c *call) archive(project ci.Project, job ci.Job) (ci.Artifact, error) {
	if _, err := c.api.engine.Authorize(c.ctx(), c.caller, project, auth.ReadJobArtifacts); err != nil {
		return ci.Artifact{}, err
	}
	artifact, err := c.api.engine.Archive(c.ctx(), job)
	if err != nil {
		return ci.Artifact{}, err
	}
	if !auth.MayReadArtifacts(c.actor, project, artifact.Access) {
		return ci.Artifact{}, ci.Forbidden("")
	}
	return artifact, nil
}

// sendArchive answers with a whole archive, or the part of it that was asked for.
func (c *call) sendArchive(project ci.Project, job ci.Job) error {
	artifact, err := c.archive(project, job)
	if err != nil {
		return err
	}
	c.attach(artifact.Name, "application/octet-stream")
	if artifact.Format == "zip" {
		c.w.Header().Set("Content-Type", "application/zip")
	}
	c.w.Header().Set("ETag", fmt.Sprintf(`"%x"`, artifact.SHA256))
	body := newBlobReader(c.ctx(), c.api.blobs, artifact.BlobKey, artifact.Size)
	http.ServeContent(c.w, c.r, "", job.FinishedAt, body)
	return body.Close()
}

// attach sets the headers of a download. Nothing that a job made is shown by the
// browser in our name.
func (c *call) attach(name, contentType string) {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Cache-Control", "max-age=0, private, must-revalidate")
}

// openArchive opens the archive of a job as a zip file. The caller closes its body when
// there is no error.
func (c *call) openArchive(project ci.Project, job ci.Job) (files *zip.Reader, body io.Closer, err error) {
	artifact, err := c.archive(project, job)
	if err != nil {
		return nil, nil, err
	}
	reader := newBlobReader(c.ctx(), c.api.blobs, artifact.BlobKey, artifact.Size)
	if err := checkDirectory(reader, artifact.Size); err != nil {
		return nil, nil, errors.Join(err, reader.Close())
	}
	if files, err = zip.NewReader(reader, artifact.Size); err != nil {
		return nil, nil, errors.Join(notAnArchive(err), reader.Close())
	}
	return files, reader, nil
}

// sendArtifactFile answers with one file out of an archive.
func (c *call) sendArtifactFile(project ci.Project, job ci.Job, name string) error {
	if !insideArchive(name) {
		return ci.BadRequest("")
	}
	files, archive, err := c.openArchive(project, job)
	if err != nil {
		return err
	}
	defer archive.Close() // it was only read: there is nothing that could be lost
	i := slices.IndexFunc(files.File, func(f *zip.File) bool { return f.Name == name && f.Mode().IsRegular() })
	if i < 0 {
		return ci.NotFound("")
	}
	body, err := files.File[i].Open()
	if err != nil {
		return fmt.Errorf("open %q in archive of job %d: %w", name, job.ID, err)
	}
	defer body.Close()
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	c.attach(path.Base(name), contentType)
	c.w.Header().Set("Content-Length", strconv.FormatUint(files.File[i].UncompressedSize64, 10))
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(c.w, body); err != nil {
		return fmt.Errorf("send %q of job %d: %w", name, job.ID, err)
	}
	return nil
}

// artifactTree lists the archive of a job: the entries of one folder, or all below
// it.
func (a *API) artifactTree(c *call) error {
	folder, recursive := strings.Trim(c.params.String("path"), "/"), c.params.Bool("recursive", false)
	job, project, err := c.job()
	if err != nil {
		return err
	}
	if folder != "" && !insideArchive(folder) {
		return ci.BadRequest("")
	}
	files, archive, err := c.openArchive(project, job)
	if err != nil {
		return err
	}
	defer archive.Close() // it was only read: there is nothing that could be lost
	tree := archiveTree(files.File, folder, recursive)
	if folder != "" && len(tree) == 0 {
		return ci.NotFound("")
	}
	return c.json(http.StatusOK, tree)
}

// keepArtifacts takes the expiry away from the artifacts of a job.
func (a *API) keepArtifacts(c *call) error {
	job, project, err := c.job()
	if err != nil {
		return err
	}
	if job, err = a.engine.KeepArtifacts(c.ctx(), c.caller, project, job.ID); err != nil {
		return err
	}
	return c.answerJob(http.StatusOK, project, job)
}

// deleteArtifacts removes the artifacts of a job.
func (a *API) deleteArtifacts(c *call) error {
	job, project, err := c.job()
	if err != nil {
		return err
	}
	if err := a.engine.DeleteArtifacts(c.ctx(), c.caller, project, job.ID); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// deleteProjectArtifacts lets all artifacts of a project expire.
func (a *API) deleteProjectArtifacts(c *call) error {
	project, err := c.project()
	if err != nil {
		return err
	}
	if err := a.engine.DeleteProjectArtifacts(c.ctx(), c.caller, project); err != nil {
		return err
	}
	return c.json(http.StatusAccepted, map[string]string{"message": "202 Accepted"})
}
