package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/blob/disk"
	"github.com/lanyard-ci/lanyard/internal/blob/s3"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/runnerapi"
)

// blobs are artifacts and logs: a folder, or a place in an object store.
type blobs interface {
	blob.Store
	Ready(ctx context.Context) error
	Sweep(ctx context.Context, olderThan time.Duration, now time.Time) (removed int, err error)
}

const (
	probeTime = 30 * time.Second // how long an object store may take to show that it works
	directFor = 10 * time.Minute // how long a runner may take to begin a direct download
)

// openBlobs opens the blobs for a server: an object store has to be writable, and from
// then on the data directory says where the blobs are.
func openBlobs(ctx context.Context, c Config) (blobs, error) {
	if c.BlobURL == "" {
		return findBlobs(c)
	}
	place, store, err := bucket(c)
	if err != nil {
		return nil, err
	}
	recorded, err := blobsIn(c)
	if err != nil {
		return nil, err
	}
	if recorded != "" && recorded != place {
		return nil, movedBlobs(c, recorded)
	}
	if recorded == "" {
		if err := refuseBlobsOnDisk(ctx, c, place); err != nil {
			return nil, err
		}
	}
	probing, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if err := store.Probe(probing); errors.Is(err, s3.ErrRefused) {
		return nil, usage("--blob-url: %s cannot be used: %v", place, err)
	} else if err != nil {
		return nil, &ci.Error{Kind: ci.KindUnavailable, Message: "--blob-url: " + place + " cannot be used", Err: err}
	}
	if recorded == "" {
		return store, recordBlobs(c, place)
	}
	return store, nil
}

// findBlobs opens the blobs of a data directory that a server has used, as they are.
func findBlobs(c Config) (blobs, error) {
	recorded, err := blobsIn(c)
	if err != nil {
		return nil, err
	}
	if c.BlobURL == "" {
		if recorded != "" {
			return nil, movedBlobs(c, recorded)
		}
		store, err := disk.Open(c.blobs())
		if err != nil {
			return nil, fmt.Errorf("open blobs: %w", err)
		}
		return store, nil
	}
	place, store, err := bucket(c)
	switch {
	case err != nil:
		return nil, err
	case recorded == "":
		return nil, usage("artifacts and logs are in %s: leave out --blob-url", c.blobs())
	case recorded != place:
		return nil, movedBlobs(c, recorded)
	}
	return store, nil
}

// bucket opens the place that --blob-url names.
func bucket(c Config) (name string, store *s3.Store, err error) {
	place, err := s3.ParsePlace(c.BlobURL)
	if err == nil {
		if c.BlobAccessKey == "" || c.BlobSecretKey == "" {
			return "", nil, usage("--blob-url needs LANYARD_BLOB_ACCESS_KEY and LANYARD_BLOB_SECRET_KEY, or files named by the same with _FILE")
		}
		store, err = s3.Open(s3.Config{Place: place, AccessKey: c.BlobAccessKey, SecretKey: c.BlobSecretKey})
	}
	if err != nil {
		return "", nil, usage("--blob-url is %v", err)
	}
	return place.String(), store, nil
}

// blobsIn gives the place of the blobs in an object store, or nothing when they are in
// the data directory.
func blobsIn(c Config) (string, error) {
	data, err := os.ReadFile(c.blobsIn())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", usage("data directory: %v", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// movedBlobs says that the blobs are elsewhere. Without this, every artifact and log
// would seem lost.
func movedBlobs(c Config, recorded string) error {
	return usage("artifacts and logs are in %s: name it by --blob-url; if they were moved from there, remove %s", recorded, c.blobsIn())
}

// refuseBlobsOnDisk refuses to leave blobs in the data directory behind.
func refuseBlobsOnDisk(ctx context.Context, c Config, place string) error {
	if none, err := missing(c.blobs()); none || err != nil {
		return err
	}
	store, err := disk.Open(c.blobs())
	if err != nil {
		return fmt.Errorf("open blobs: %w", err)
	}
	found := errors.New("found")
	err = store.List(ctx, "", func(blob.Info) error { return found })
	if err == found {
		return usage("artifacts and logs are in %s: copy what is in there to %s, then remove the folder", c.blobs(), place)
	}
	return err
}

// recordBlobs writes where the blobs are. Of several servers that start at once with
// different places, one fails.
func recordBlobs(c Config, place string) error {
	file, err := os.CreateTemp(c.Data, ".blobs-in-*")
	if err != nil {
		return fmt.Errorf("record place of blobs: %w", err)
	}
	_, err = file.WriteString(place + "\n")
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Link(file.Name(), c.blobsIn())
	}
	exists := errors.Is(err, fs.ErrExist)
	if exists {
		err = nil
	}
	if err = errors.Join(err, os.Remove(file.Name())); err != nil {
		return fmt.Errorf("record place of blobs: %w", err)
	}
	if !exists {
		return nil
	}
	if recorded, err := blobsIn(c); err != nil || recorded != place {
		return errors.Join(err, movedBlobs(c, recorded))
	}
	return nil
}

// directDownloads sends runners to the object store, if there is one.
func directDownloads(b blobs) runnerapi.Direct {
	store, ok := b.(*s3.Store)
	if !ok {
		return nil
	}
	return func(ctx context.Context, key, name string) (string, error) {
		return store.DownloadURL(ctx, key, name, "application/zip", directFor)
	}
}
