package web

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// jobRaw sends the whole log as text, colours and all.
func (v *visit) jobRaw() error {
	s, err := v.jobState()
	if err != nil {
		return err
	}
	if !s.mayLog {
		return ci.Forbidden("")
	}
	log, err := v.web.traces.Read(v.ctx(), int64(s.job.ID), 0, -1)
	if err != nil {
		return err
	}
	defer log.Close() // it was only read: there is nothing that could be lost
	return v.download("text/plain; charset=utf-8", "inline", fmt.Sprintf("job-%d.log", s.job.ID), log.End-log.Start, log)
}

// downloadArtifact sends an upload of a job, the archive unless another type is
// asked for.
func (v *visit) downloadArtifact() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	job, err := v.web.engine.ProjectJob(v.ctx(), v.project, ci.JobID(id))
	if err != nil {
		return err
	}
	kind := v.r.URL.Query().Get("file_type")
	if kind == "" {
		kind = "archive"
	}
	artifact, err := v.web.view.Artifact(v.ctx(), job.ID, kind)
	if err != nil {
		return err
	}
	if !auth.MayReadArtifacts(v.actor, v.project, artifact.Access) {
		return ci.Forbidden("")
	}
	body, err := v.web.blobs.Get(v.ctx(), artifact.BlobKey, 0, artifact.Size)
	if err != nil {
		return fmt.Errorf("open artifact %d: %w", artifact.ID, err)
	}
	defer body.Close() // it was only read: there is nothing that could be lost
	return v.download("application/octet-stream", "attachment", artifact.Name, artifact.Size, body)
}

// download sends what a job made. Whatever is in it, a browser that opens it is to
// do nothing in this server's name.
func (v *visit) download(contentType, disposition, name string, size int64, body io.Reader) error {
	h := v.w.Header()
	h.Set("Content-Security-Policy", sandbox)
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Cache-Control", "private, no-cache")
	v.w.WriteHeader(http.StatusOK)
	if v.r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(v.w, body); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	return nil
}

// bytesText is a size in words.
func bytesText(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
