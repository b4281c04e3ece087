package trace

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// A Catalog reads what is kept of all logs, for those who check that it is whole.
// It changes nothing.
type Catalog struct{ rows queryer }

// queryer is a database that can be read.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Catalog gives the catalog of logs that are open for writing.
func (t *Traces) Catalog() *Catalog { return &Catalog{t.tails} }

// CatalogOf gives the catalog of logs that are kept in PostgreSQL.
func CatalogOf(v *store.View) *Catalog { return &Catalog{v} }

// OpenCatalog opens the catalog of logs that are kept in a file, which must be
// there. Another process may be writing to them. close ends the use.
func OpenCatalog(ctx context.Context, path string) (c *Catalog, close func() error, err error) {
	pool, err := sql.Open("sqlite", readDSN(path))
	if err != nil {
		return nil, nil, fmt.Errorf("open logs: %w", err)
	}
	pool.SetMaxOpenConns(1)
	var found int64
	err = pool.QueryRowContext(ctx, "pragma user_version").Scan(&found)
	switch {
	case err == nil && found > schemaVersion:
		err = &store.NewerError{Found: found, Known: schemaVersion}
	case err == nil && found < schemaVersion:
		err = store.ErrOlder
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open logs: %w", err), pool.Close())
	}
	return &Catalog{pool}, pool.Close, nil
}

// A Chunk is a part of a log that is in the blob store.
type Chunk struct {
	Job   int64
	Start int64  // offset in the log
	Size  int64  // bytes
	CRC   uint32 // checksum of the bytes, CRC-32 with the polynomial of IEEE
	Key   string // of the blob
}

// Whole reads a chunk's bytes and reports whether they are those that were written.
func (c Chunk) Whole(r io.Reader) (bool, error) {
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, r)
	return n == c.Size && sum.Sum32() == c.CRC, err
}

// Jobs lists the jobs that have a log after one, by id, at most limit.
func (c *Catalog) Jobs(ctx context.Context, after int64, limit int) (jobs []int64, err error) {
	err = c.each(ctx, func(scan func(...any) error) error {
		var job int64
		err := scan(&job)
		jobs = append(jobs, job)
		return err
	}, `select job_id from logs where job_id > $1 order by job_id limit $2`, after, limit)
	return jobs, wrap("list logs", err)
}

// Chunks lists the chunks after one, by job and start, at most limit. The first
// call's after is the zero Chunk.
func (c *Catalog) Chunks(ctx context.Context, after Chunk, limit int) (chunks []Chunk, err error) {
	err = c.each(ctx, func(scan func(...any) error) error {
		var chunk Chunk
		err := scan(&chunk.Job, &chunk.Start, &chunk.Size, &chunk.CRC, &chunk.Key)
		chunks = append(chunks, chunk)
		return err
	}, `
		select job_id, start, size, crc, blob_key from log_chunks
		where job_id > $1 or job_id = $1 and start > $2 order by job_id, start limit $3`, after.Job, after.Start, limit)
	return chunks, wrap("list chunks of logs", err)
}

// Spare lists the blobs that no log needs any more, or none yet.
func (c *Catalog) Spare(ctx context.Context) (keys []string, err error) {
	err = c.each(ctx, func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		keys = append(keys, key)
		return err
	}, `select blob_key from log_trash`)
	return keys, wrap("list blobs that logs left", err)
}

// tailSize is how many bytes the tail rows of a log have.
const tailSize = `(select coalesce(sum(length(t.data)), 0) from log_tails t where t.job_id = l.job_id)`

// chunkSize is how many bytes the chunks of a log have.
const chunkSize = `(select coalesce(sum(c.size), 0) from log_chunks c where c.job_id = l.job_id)`

// rules are what always holds. Each query lists the numbers of what breaks it.
var rules = []struct{ words, query string }{
	{"log of job %d has %d bytes in chunks and says %d", `
		select l.job_id, cast(` + chunkSize + ` as bigint), l.sealed from logs l where l.sealed <> ` + chunkSize},
	{"log of job %d has %d bytes in its tail and says %d", `
		select l.job_id, cast(` + tailSize + ` as bigint), l.size - l.sealed from logs l where l.size - l.sealed <> ` + tailSize},
	{"log of job %d has a gap before the chunk at %d", `
		select c.job_id, c.start from log_chunks c where c.start <> 0
			and not exists (select 1 from log_chunks b where b.job_id = c.job_id and b.start + b.size = c.start)`},
	{"log of job %d has a gap before the tail at %d", `
		select t.job_id, t.start from log_tails t join logs l on l.job_id = t.job_id where t.start <> l.sealed
			and not exists (select 1 from log_tails b where b.job_id = t.job_id and b.start + length(b.data) = t.start)`},
	{"log of job %d has ended and %d bytes are not in a chunk", `
		select l.job_id, l.size - l.sealed from logs l where l.finished <> 0 and l.size <> l.sealed`},
	{"chunk at %[2]d belongs to the log of job %[1]d, which is not there", `
		select c.job_id, c.start from log_chunks c where not exists (select 1 from logs l where l.job_id = c.job_id)`},
	{"tail at %[2]d belongs to the log of job %[1]d, which is not there", `
		select t.job_id, t.start from log_tails t where not exists (select 1 from logs l where l.job_id = t.job_id)`},
}

// maxBroken is how many rows Check names for each rule.
const maxBroken = 100

// Check looks for logs that do not fit together and returns what it found in words.
// Each rule is looked at in one moment, so what others write meanwhile breaks none.
func (c *Catalog) Check(ctx context.Context) (broken []string, err error) {
	for _, rule := range rules {
		numbers := make([]int64, strings.Count(rule.words, "%"))
		places, values := make([]any, len(numbers)), make([]any, len(numbers))
		err := c.each(ctx, func(scan func(...any) error) error {
			for i := range numbers {
				places[i] = &numbers[i]
			}
			err := scan(places...)
			for i, n := range numbers {
				values[i] = n
			}
			broken = append(broken, fmt.Sprintf(rule.words, values...))
			return err
		}, `select * from (`+rule.query+`) as broken limit $1`, maxBroken)
		if err != nil {
			return nil, fmt.Errorf("check that no %s: %w", rule.words, err)
		}
	}
	return broken, nil
}

// each reads all rows of a query.
func (c *Catalog) each(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := c.rows.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// wrap adds the words of the call, and nil stays nil.
func wrap(words string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", words, err)
}
