package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/duration"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// archive is the type of the artifact that later jobs and people download.
const archive = "archive"

// An Upload is an artifact on its way in (contract/runner-protocol.md 7).
type Upload struct {
	Type     string // archive, junit, …; empty: archive
	Format   string // zip, gzip, raw; empty: zip
	Name     string // file name, as the runner sent it
	ExpireIn string // duration text; empty: the default of 30 days
	Body     io.Reader
}

// artifactLife is how long artifacts live when nobody says otherwise.
const artifactLife = 30 * 24 * time.Hour

// SaveArtifact stores an upload of a running job: the bytes first, then the row.
// The same bytes again for the same type are a success, since runners repeat
// requests. It gives the status of the job. Errors: those of JobForRunner,
// ci.KindTooLarge over the limit, ci.KindInvalid for another content of a type
// that is there already, and for a dotenv report that cannot be read.
func (e *Engine) SaveArtifact(ctx context.Context, id ci.JobID, token string, u Upload) (ci.Status, error) {
	job, err := e.JobForRunner(ctx, id, token)
	if err != nil {
		return job.Status, err
	}
	expires, err := e.artifactExpiry(u.ExpireIn)
	if err != nil {
		return job.Status, err
	}
	spec, err := e.Spec(ctx, job)
	if err != nil {
		return job.Status, err
	}
	artifact := ci.Artifact{
		JobID: id, ProjectID: job.ProjectID, Type: orText(u.Type, archive), Format: orText(u.Format, "zip"),
		Name: cleanName(u.Name), ExpireIn: u.ExpireIn,
	}
	for _, planned := range spec.Artifacts {
		if planned.Type == artifact.Type {
			artifact.Access = planned.Access
		}
	}
	if artifact.Type == dotenv {
		if u.Body, err = checkedDotenv(u.Body); err != nil {
			return job.Status, err
		}
	}
	return job.Status, e.storeArtifact(ctx, &job, artifact, u.Body, expires)
}

// storeArtifact writes the bytes of an artifact and then its row, with what a test
// report comes to. Whatever happens, the bytes stay no longer than there is a use
// for them.
func (e *Engine) storeArtifact(ctx context.Context, job *ci.Job, artifact ci.Artifact, body io.Reader, expires time.Time) error {
	artifact.BlobKey = blob.NewKey(e.rand)
	announced, err := e.store.AnnounceBlob(ctx, artifact.BlobKey, e.now().Add(uploadLife))
	if err != nil {
		return err
	}
	err = e.putArtifact(ctx, &artifact, body)
	if err == nil && artifact.Type == junitReport {
		artifact.Tests, err = e.summarize(ctx, job, artifact)
	}
	if err == nil {
		err = e.recordArtifact(ctx, artifact, expires, announced)
	}
	if err == nil || errors.Is(err, store.ErrUnknown) { // unknown: the row may be there
		return err
	}
	cleanup := e.discardBlob(context.WithoutCancel(ctx), artifact.BlobKey, announced)
	switch {
	case errors.Is(err, errSameArtifact):
		return cleanup
	case ci.IsNotFound(err): // the job was deleted meanwhile, which runners hear as for any that is gone
		err = ci.Forbidden("")
	}
	return errors.Join(err, cleanup)
}

// uploadLife is how long an upload may take. One that takes longer counts as left
// behind by a process that has ended.
const uploadLife = 24 * time.Hour

// putArtifact stores the bytes of an artifact and fills in what they come to.
func (e *Engine) putArtifact(ctx context.Context, a *ci.Artifact, body io.Reader) error {
	hash := sha256.New()
	limited := &limitedReader{from: io.TeeReader(body, hash), left: e.limits.ArtifactBytes}
	var err error
	if a.Size, err = e.blobs.Put(ctx, a.BlobKey, limited); err != nil {
		return fmt.Errorf("store artifact of job %d: %w", a.JobID, err)
	}
	a.SHA256 = hash.Sum(nil)
	return nil
}

// errSameArtifact says that the very same bytes are there already.
var errSameArtifact = errors.New("the artifact is there already")

// recordArtifact writes the row for bytes that are stored. Another row of the type
// is ci.KindInvalid, or errSameArtifact when it has the same content.
func (e *Engine) recordArtifact(ctx context.Context, a ci.Artifact, expires time.Time, announced int64) error {
	_, err := e.store.AddArtifact(ctx, a, expires, announced)
	if taken := (*store.Taken)(nil); !errors.As(err, &taken) {
		return err
	}
	there, err := e.view.Artifact(ctx, a.JobID, a.Type)
	if err != nil {
		return err
	}
	if !bytes.Equal(there.SHA256, a.SHA256) {
		return ci.BadRequest("another file has already been uploaded with the same type")
	}
	return errSameArtifact
}

// discardBlob removes a blob that was announced and gets no row.
func (e *Engine) discardBlob(ctx context.Context, key string, announced int64) error {
	if err := e.blobs.Delete(ctx, key); err != nil {
		return err // it stays announced, and is removed later
	}
	return e.store.EmptyTrash(ctx, []int64{announced})
}

// artifactExpiry computes when an upload expires; zero for never.
func (e *Engine) artifactExpiry(text string) (time.Time, error) {
	if text == "" {
		return e.now().Add(artifactLife), nil
	}
	seconds, never, err := duration.Parse(text)
	if err != nil {
		return time.Time{}, ci.BadRequest("expire_in is not a duration")
	}
	if never || seconds == 0 {
		return time.Time{}, nil
	}
	return e.now().Add(time.Duration(seconds) * time.Second), nil
}

// cleanName keeps the base name that a runner gave to an upload.
func cleanName(name string) string {
	name = path.Base(strings.ReplaceAll(name, "\\", "/"))
	if name == "." || name == "/" || name == "" {
		return "artifacts.zip"
	}
	return name
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// A limitedReader fails with ci.KindTooLarge instead of ending early.
type limitedReader struct {
	from io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, ci.TooLarge("413 Request Entity Too Large")
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.from.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, ci.TooLarge("413 Request Entity Too Large")
	}
	return n, err
}

// ArtifactForRunner gives the archive of a job to a runner that holds a job of
// the same project, or of one that its job token may read. Errors:
// ci.KindUnauthorized for a token that counts for nothing, ci.KindForbidden or
// ci.KindNotFound for a job that it may not read, ci.NotFound when there is no
// archive (any more).
func (e *Engine) ArtifactForRunner(ctx context.Context, id ci.JobID, token string) (ci.Artifact, error) {
	caller, err := e.AuthenticateJobToken(ctx, token)
	if err != nil {
		return ci.Artifact{}, err
	}
	job, err := e.view.Job(ctx, id)
	if ci.IsNotFound(err) {
		return ci.Artifact{}, ci.NotFound("")
	}
	if err != nil {
		return ci.Artifact{}, err
	}
	if job.ProjectID == caller.Job.ProjectID {
		return e.Archive(ctx, job)
	}
	project, err := e.view.Project(ctx, job.ProjectID)
	if err != nil {
		return ci.Artifact{}, err
	}
	actor, err := e.Authorize(ctx, caller, project, auth.ReadJobArtifacts)
	if err != nil {
		return ci.Artifact{}, err
	}
	artifact, err := e.Archive(ctx, job)
	if err == nil && !auth.MayReadArtifacts(actor, project, artifact.Access) {
		return ci.Artifact{}, ci.Forbidden("")
	}
	return artifact, err
}

// Archive finds the archive of a job that has not expired. Errors: ci.NotFound.
func (e *Engine) Archive(ctx context.Context, job ci.Job) (ci.Artifact, error) {
	if expired(job, e.now()) {
		return ci.Artifact{}, ci.NotFound("")
	}
	artifact, err := e.view.Artifact(ctx, job.ID, archive)
	if ci.IsNotFound(err) {
		return ci.Artifact{}, ci.NotFound("")
	}
	return artifact, err
}
