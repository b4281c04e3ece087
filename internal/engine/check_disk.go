package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// Disk gives in words what does not hold between the database and the repositories,
// blobs and logs. Beside a server that writes, some of it may only be on its way:
// what counts is found twice.
func (c *Check) Disk(ctx context.Context) ([]string, error) {
	d := &diskCheck{Check: c}
	for _, step := range []func(context.Context) error{d.readTrash, d.repositories, d.logs, d.blobs} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return d.broken, nil
}

// A diskCheck is one look at what lies on disk.
type diskCheck struct {
	*Check
	trash  map[store.Trash]bool // kind and key of what waits to be removed or is being written
	broken []string
}

func (d *diskCheck) say(format string, args ...any) {
	d.broken = append(d.broken, fmt.Sprintf(format, args...))
}

// spare reports whether something waits to be removed.
func (d *diskCheck) spare(kind, key string) bool { return d.trash[store.Trash{Kind: kind, Key: key}] }

func (d *diskCheck) readTrash(ctx context.Context) error {
	d.trash = map[store.Trash]bool{}
	var last int64
	for {
		items, err := d.View.AllTrash(ctx, last, checkPage)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, item := range items {
			d.trash[store.Trash{Kind: item.Kind, Key: item.Key}] = true
			last = item.ID
		}
	}
}

// checkPage is how many rows are read at once.
const checkPage = 1000

// repositories compares the repositories with the projects and the table of refs.
func (d *diskCheck) repositories(ctx context.Context) error {
	there, err := d.Git.Projects(ctx)
	if err != nil {
		return err
	}
	ids, err := d.View.ProjectIDs(ctx)
	if err != nil {
		return fmt.Errorf("list projects: %w", err)
	}
	projects := map[ci.ProjectID]bool{}
	for _, id := range ids {
		projects[id] = true
		if err := d.refs(ctx, id); err != nil {
			return err
		}
	}
	for _, id := range there {
		if !projects[ci.ProjectID(id)] && !d.spare(store.TrashRepository, strconv.FormatInt(id, 10)) {
			d.say("repository of project %d is there, the project is not", id)
		}
	}
	return nil
}

// refs compares the refs of one project.
func (d *diskCheck) refs(ctx context.Context, id ci.ProjectID) error {
	found, err := repositoryRefs(ctx, d.Git, id)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, git.ErrNoRepository):
		d.say("project %d has no repository", id)
		return nil
	case err != nil:
		d.say("the repository of project %d cannot be read: %v", id, err)
		return nil
	}
	rows, err := d.View.Refs(ctx, id, "")
	if err != nil {
		return err
	}
	kept := make(map[string]string, len(rows))
	for _, row := range rows {
		kept[row.Name] = row.SHA
	}
	for _, ref := range found {
		if sha, ok := kept[ref.Name]; !ok {
			d.say("%s of project %d is in the repository and not in the table", ref.Name, id)
		} else if sha != ref.SHA {
			d.say("%s of project %d is at %s in the repository and at %s in the table", ref.Name, id, ref.SHA, sha)
		}
		delete(kept, ref.Name)
	}
	for _, row := range rows {
		if _, ok := kept[row.Name]; ok {
			d.say("%s of project %d is in the table and not in the repository", row.Name, id)
		}
	}
	return nil
}

// logs looks at the logs by themselves and for those whose job is gone.
func (d *diskCheck) logs(ctx context.Context) error {
	broken, err := d.Logs.Check(ctx)
	if err != nil {
		return err
	}
	d.broken = append(d.broken, broken...)
	var last int64
	for {
		logs, err := d.Logs.Jobs(ctx, last, checkPage)
		if err != nil || len(logs) == 0 {
			return err
		}
		jobs := make([]ci.JobID, len(logs))
		for i, job := range logs {
			jobs[i], last = ci.JobID(job), job
		}
		found, err := d.View.JobsAmong(ctx, jobs)
		if err != nil {
			return err
		}
		there := make(map[ci.JobID]bool, len(found))
		for _, job := range found {
			there[job] = true
		}
		for _, job := range jobs {
			if !there[job] && !d.spare(store.TrashLog, strconv.FormatInt(int64(job), 10)) {
				d.say("log of job %d is there, the job is not", job)
			}
		}
	}
}

// blobs compares the blobs with the rows that name them.
func (d *diskCheck) blobs(ctx context.Context) error {
	sizes := map[string]int64{}
	err := d.Blobs.List(ctx, "", func(info blob.Info) error {
		sizes[info.Key] = info.Size
		return nil
	})
	if err != nil {
		return err
	}
	if err := d.artifacts(ctx, sizes); err != nil {
		return err
	}
	if err := d.chunks(ctx, sizes); err != nil {
		return err
	}
	spare, err := d.Logs.Spare(ctx)
	if err != nil {
		return err
	}
	for _, key := range spare {
		delete(sizes, key)
	}
	var unknown []string
	for key := range sizes {
		if !d.spare(store.TrashBlob, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		d.say("blob %s belongs to nothing", key)
	}
	return nil
}

// artifacts looks at the blobs of artifacts and strikes them off.
func (d *diskCheck) artifacts(ctx context.Context, sizes map[string]int64) error {
	var last ci.ArtifactID
	for {
		artifacts, err := d.View.AllArtifacts(ctx, last, checkPage)
		if err != nil || len(artifacts) == 0 {
			return err
		}
		for _, a := range artifacts {
			last = a.ID
			what := fmt.Sprintf("%s artifact of job %d", a.Type, a.JobID)
			err := d.blob(ctx, what, a.BlobKey, a.Size, sizes, func(r io.Reader) (bool, error) {
				hash := sha256.New()
				_, err := io.Copy(hash, r)
				return bytes.Equal(hash.Sum(nil), a.SHA256), err
			})
			if err != nil {
				return err
			}
		}
	}
}

// chunks does the same for the chunks of logs.
func (d *diskCheck) chunks(ctx context.Context, sizes map[string]int64) error {
	var last trace.Chunk
	for {
		chunks, err := d.Logs.Chunks(ctx, last, checkPage)
		if err != nil || len(chunks) == 0 {
			return err
		}
		for _, chunk := range chunks {
			last = chunk
			what := fmt.Sprintf("log of job %d from %d on", chunk.Job, chunk.Start)
			if err := d.blob(ctx, what, chunk.Key, chunk.Size, sizes, chunk.Whole); err != nil {
				return err
			}
		}
	}
}

// blob looks at one blob that a row names. whole reads it and compares its checksum.
func (d *diskCheck) blob(ctx context.Context, what, key string, want int64, sizes map[string]int64, whole func(io.Reader) (bool, error)) error {
	size, ok := sizes[key]
	delete(sizes, key)
	if !ok {
		if _, err := d.Blobs.Stat(ctx, key); errors.Is(err, blob.ErrNotExist) { // not only newer than the list
			d.say("%s: its blob %s is not there", what, key)
		} else if err != nil {
			return err
		}
		return nil
	}
	if size != want {
		d.say("%s: its blob %s has %d bytes and should have %d", what, key, size, want)
		return nil
	}
	if !d.Deep {
		return nil
	}
	body, err := d.Blobs.Get(ctx, key, 0, -1)
	if errors.Is(err, blob.ErrNotExist) { // deleted since it was listed, with its row
		return nil
	}
	if err != nil {
		return err
	}
	same, err := whole(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("read blob %s: %w", key, err)
	}
	if !same {
		d.say("%s: its blob %s is damaged", what, key)
	}
	return nil
}
