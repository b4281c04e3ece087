package runnerapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// upload takes an artifact of a job that runs. The body is a multipart form with a
// part named file, usually chunked and of any length, so it is passed on as it
// comes. What describes it stands in the query, or in parts before the file
// (contract/runner-protocol.md 7).
func (a *API) upload(w http.ResponseWriter, r *http.Request) error {
	p, err := wire.QueryParams(r, "id")
	if err != nil {
		return err
	}
	id := jobID(r, p)
	if err := p.Err(); err != nil {
		return err
	}
	form, err := formReader(w, r)
	if err != nil {
		return err
	}
	part, err := filePart(form, p)
	if err != nil {
		return err
	}
	upload := engine.Upload{
		Type: p.String("artifact_type"), Format: p.String("artifact_format"), ExpireIn: p.String("expire_in"),
		Name: part.FileName(), Body: fromClient{part},
	}
	if err := p.Err(); err != nil {
		return err
	}
	status, err := a.engine.SaveArtifact(r.Context(), id, jobToken(r, p), upload)
	if err := a.report(w, r, status, err); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusCreated, http.StatusCreated)
}

// formReader reads the body of an upload part by part.
func formReader(w http.ResponseWriter, r *http.Request) (*multipart.Reader, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return nil, ci.BadParam("file is missing")
	}
	return multipart.NewReader(steadily(w, r.Body), params["boundary"]), nil
}

// Bounds of the parts before the file.
const (
	maxFields     = 20
	maxFieldBytes = 8 << 10
	maxMetadata   = 1 << 20
)

// filePart goes on to the part named file and makes parameters of the parts before
// it. The metadata that GitLab's own proxy adds is left out: the archive has it
// all.
func filePart(form *multipart.Reader, p *wire.Params) (*multipart.Part, error) {
	for range maxFields {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, ci.BadParam("file is missing")
		case err != nil:
			return nil, unreadable(err)
		case part.FormName() == "file":
			return part, nil
		case part.FileName() != "":
			if n, err := io.Copy(io.Discard, io.LimitReader(part, maxMetadata+1)); err != nil || n > maxMetadata {
				return nil, ci.BadParam("file is missing")
			}
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFieldBytes+1))
		if err != nil {
			return nil, unreadable(err)
		}
		if len(value) > maxFieldBytes {
			return nil, ci.BadParam("a field is too long")
		}
		p.Set(part.FormName(), wire.NewString(string(value)))
	}
	return nil, ci.BadParam("too many fields before the file")
}

// A fromClient reads a part; where it fails, that is the client's doing.
type fromClient struct{ part io.Reader }

// Read implements io.Reader.
func (f fromClient) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	if err != nil && err != io.EOF {
		err = unreadable(err)
	}
	return n, err
}

// unreadable is the answer to a body that ended too early or is no form.
func unreadable(err error) error {
	return &ci.Error{Kind: ci.KindBadParam, Message: "request body ended too early", Err: err}
}

// download gives a runner the archive of an earlier job. It comes from here, unless
// the archive is in an object store and the runner says by direct_download that it can
// be sent there (contract/runner-protocol.md 7).
func (a *API) download(w http.ResponseWriter, r *http.Request) error {
	p, err := wire.QueryParams(r, "id")
	if err != nil {
		return err
	}
	id, token, direct := jobID(r, p), jobToken(r, p), p.Bool("direct_download", false)
	if err := p.Err(); err != nil {
		return err
	}
	artifact, err := a.engine.ArtifactForRunner(r.Context(), id, token)
	if ci.KindOf(err) == ci.KindUnauthorized {
		return a.miss(r, ci.Forbidden(""))
	}
	if err != nil {
		return err
	}
	if direct && a.direct != nil && r.Method == http.MethodGet { // what is signed is good for GET only
		return a.redirect(w, r, artifact)
	}
	body, err := a.blobs.Get(r.Context(), artifact.BlobKey, 0, -1)
	if err != nil {
		return fmt.Errorf("open artifact of job %d: %w", id, err)
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": artifact.Name}))
	h.Set("Content-Length", strconv.FormatInt(artifact.Size, 10))
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("send artifact of job %d: %w", id, err)
	}
	return nil
}

// redirect sends a runner to the object store. The URL is a secret while it lives, so
// it is in this header and nowhere else.
func (a *API) redirect(w http.ResponseWriter, r *http.Request, artifact ci.Artifact) error {
	url, err := a.direct(r.Context(), artifact.BlobKey, artifact.Name)
	if err != nil {
		return fmt.Errorf("send away for artifact of job %d: %w", artifact.JobID, err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", url)
	w.WriteHeader(http.StatusFound)
	return nil
}
