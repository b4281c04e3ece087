package runner

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
)

func (j *job) hasDependencies() bool {
	return slices.ContainsFunc(j.payload.Dependencies, func(d dependency) bool { return d.ArtifactsFile.Filename != "" })
}

// downloadArtifacts unpacks what earlier jobs left, in the server's order. One that cannot be had fails the job.
func (j *job) downloadArtifacts(ctx context.Context) error {
	for _, d := range j.payload.Dependencies {
		if d.ArtifactsFile.Filename == "" {
			continue
		}
		j.log.step("Downloading artifacts for %s (%d)...", d.Name, d.ID)
		if err := j.downloadFrom(ctx, d); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			j.log.fail("Downloading artifacts: %v", err)
			return &exitError{1}
		}
		j.log.print("Downloading artifacts from coordinator... ok")
	}
	return nil
}

func (j *job) downloadFrom(ctx context.Context, d dependency) error {
	file, err := j.runner.temporary()
	if err != nil {
		return err
	}
	defer file.Close()
	token := d.Token
	if token == "" {
		token = j.payload.Token
	}
	direct := true
	err = j.runner.timing.stream.retry(ctx, func() error {
		err := j.runner.client.downloadArtifacts(ctx, d.ID, token, direct, file)
		direct = false
		return err
	})
	if err != nil {
		return err
	}
	return j.extract(file)
}

// extract unpacks an archive into the project.
func (j *job) extract(file *os.File) error {
	fi, err := file.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(file, fi.Size())
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	return j.ws.inProject(func(root *os.Root) error { return extractZip(archive, root) })
}

// downloadArtifacts writes an archive into an empty file. direct allows the server to send us to its object store.
func (c *client) downloadArtifacts(ctx context.Context, id int64, token string, direct bool, to *os.File) error {
	r := request{
		what: fmt.Sprintf("download artifacts of job %d", id), method: "GET", path: fmt.Sprintf("/jobs/%d/artifacts", id),
		header: asJob(token), timeout: streamTimeout,
	}
	if direct {
		r.query = url.Values{"direct_download": {"true"}}
	}
	res, done, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer done()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16)) // only for the error's text
		return (&reply{code: res.StatusCode, header: res.Header, body: body}).failure(r.what)
	}
	if err := to.Truncate(0); err != nil {
		return fmt.Errorf("%s: %w", r.what, err)
	}
	disk := &diskWriter{w: io.NewOffsetWriter(to, 0)}
	if _, err := io.Copy(disk, res.Body); err != nil && disk.err == nil {
		return &transportError{what: r.what, err: err}
	}
	if disk.err != nil {
		return fmt.Errorf("%s: %w", r.what, disk.err)
	}
	return nil
}

// diskWriter remembers that it was the disk, not the network, that failed a copy.
type diskWriter struct {
	w   io.Writer
	err error
}

// Write passes on.
func (d *diskWriter) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.err = err
	return n, err
}

// dueArtifacts are those to be uploaded after the script ended as it did.
func (j *job) dueArtifacts(scriptErr error) []artifact {
	return slices.DeleteFunc(slices.Clone(j.payload.Artifacts), func(a artifact) bool { return !due(a.When, scriptErr) })
}

// uploadArtifacts sends one upload an entry. The first that fails fails the job, and those after it are not tried.
func (j *job) uploadArtifacts(ctx context.Context, list []artifact) error {
	for _, a := range list {
		j.log.step("Uploading artifacts...")
		err := j.uploadArtifact(ctx, a)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j.log.fail("Uploading artifacts as %q to coordinator... %v", a.kind(), err)
		return &exitError{1}
	}
	return nil
}

func (a artifact) kind() string {
	if a.Type == "" {
		return "archive"
	}
	return a.Type
}

func (j *job) uploadArtifact(ctx context.Context, a artifact) error {
	names, err := j.collect(ctx, selection{paths: a.Paths, exclude: a.Exclude, untracked: a.Untracked})
	if err != nil {
		return err
	}
	if a.Format == "gzip" || a.Format == "raw" {
		names, err = j.onlyFiles(names)
		if err != nil {
			return err
		}
	}
	if len(names) == 0 {
		j.log.fail("No files to upload")
		return nil
	}
	file, err := j.runner.temporary()
	if err != nil {
		return err
	}
	defer file.Close()
	if err := j.pack(file, a.Format, names); err != nil {
		return err
	}
	u := upload{filename: j.uploadName(a), format: a.Format, kind: a.Type, expireIn: a.ExpireIn, file: file}
	err = j.runner.timing.stream.retry(ctx, func() error {
		return j.runner.client.uploadArtifact(ctx, j.payload.ID, j.payload.Token, u)
	})
	if err != nil {
		return err
	}
	j.log.print("Uploading artifacts as %q to coordinator... 201 Created", a.kind())
	return nil
}

func (j *job) onlyFiles(names []string) ([]string, error) {
	var files []string
	err := j.ws.inProject(func(root *os.Root) error {
		for _, name := range names {
			fi, err := root.Stat(name)
			if err == nil && fi.Mode().IsRegular() {
				files = append(files, name)
			}
		}
		return nil
	})
	return files, err
}

// pack writes the selected files in the form that the entry asks for.
func (j *job) pack(file *os.File, format string, names []string) error {
	return j.ws.inProject(func(root *os.Root) error {
		switch format {
		case "", "zip":
			return writeZip(file, root, names, func(name string) {
				j.log.warn("%s: neither file, folder nor link, left out", name)
			})
		case "gzip":
			return writeGzip(file, root, names)
		case "raw":
			if len(names) > 1 {
				return errors.New("only one file can be sent as raw")
			}
			f, _, err := openRegular(root, names[0])
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(file, f)
			return err
		}
		return fmt.Errorf("unknown artifact format %q", format)
	})
}

// uploadName is the entry's name, with variables, as a plain file name.
func (j *job) uploadName(a artifact) string {
	name := path.Base(path.Clean("/" + j.vars.expand(a.Name)))
	if name == "/" || name == "." {
		name = "artifacts"
	}
	switch a.Format {
	case "", "zip":
		return name + ".zip"
	case "gzip":
		return name + ".gz"
	}
	return name
}

// upload is a packed file on its way.
type upload struct {
	filename, format, kind, expireIn string
	file                             *os.File
}

// uploadArtifact sends a file as multipart/form-data, chunked, in its one part "file".
func (c *client) uploadArtifact(ctx context.Context, id int64, token string, u upload) error {
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	_, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("file", u.filename)},
		"Content-Type":        {"application/octet-stream"},
	})
	if err != nil {
		return fmt.Errorf("upload artifacts: %w", err)
	}
	head := frame.String()
	if err := form.Close(); err != nil {
		return fmt.Errorf("upload artifacts: %w", err)
	}
	tail := frame.String()[len(head):]
	fi, err := u.file.Stat()
	if err != nil {
		return fmt.Errorf("upload artifacts: %w", err)
	}
	body := func() (io.ReadCloser, error) {
		content := io.NewSectionReader(u.file, 0, fi.Size())
		return io.NopCloser(io.MultiReader(bytes.NewReader([]byte(head)), content, bytes.NewReader([]byte(tail)))), nil
	}
	first, _ := body()
	r := request{
		what: fmt.Sprintf("upload artifacts of job %d", id), method: "POST", path: fmt.Sprintf("/jobs/%d/artifacts", id),
		query: url.Values{}, header: asJob(token), body: first, rewind: body, contentType: form.FormDataContentType(),
		timeout: streamTimeout,
	}
	for key, value := range map[string]string{"artifact_format": u.format, "artifact_type": u.kind, "expire_in": u.expireIn} {
		if value != "" {
			r.query.Set(key, value)
		}
	}
	answer, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	if answer.code != http.StatusCreated && answer.code != http.StatusOK {
		return answer.failure(r.what + " (" + strconv.FormatInt(fi.Size(), 10) + " bytes)")
	}
	return nil
}
