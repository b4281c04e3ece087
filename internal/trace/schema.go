package trace

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// schemaVersion is recorded in the database; one with a higher number is refused.
const schemaVersion = 2

// schema has a row per log, the rows of tails, and what was moved to the blob
// store. A log's bytes are its chunks in the order of start, then its tails.
// log_trash has blobs that no chunk names: those to remove, where ready is 1, and
// those being written, where it is when they count as left behind.
var schema = []string{`
	create table if not exists logs (
		job_id       integer primary key,
		size         integer not null,
		lines        integer not null,
		sealed       integer not null, -- bytes in chunks
		sealed_lines integer not null,
		crc          integer not null, -- of the bytes as the runner sent them
		ahead        integer not null, -- so many of the next bytes are in a secret that began before
		finished     integer not null,
		updated_at   integer not null
	)`, `
	create table if not exists log_tails (
		job_id integer not null,
		start  integer not null,
		crc    integer not null,
		data   blob not null,
		primary key (job_id, start)
	)`, `
	create table if not exists log_chunks (
		job_id     integer not null,
		start      integer not null,
		size       integer not null,
		first_line integer not null, -- line ends before start
		crc        integer not null,
		blob_key   text not null,
		marks      blob not null,    -- where lines begin, see marks
		primary key (job_id, start)
	)`, `
	create table if not exists log_trash (
		blob_key text primary key,
		ready    integer not null
	)`,
}

// migrate makes the tables of a file, refuses one from a newer version, and readies
// the blobs for removal that an earlier process was writing when it ended.
func migrate(tx *store.Tx) error {
	var found int64
	if err := tx.Row([]any{&found}, "pragma user_version"); err != nil {
		return err
	}
	if found > schemaVersion {
		return &store.NewerError{Found: found, Known: schemaVersion}
	}
	if found == 1 { // the tables had names that in PostgreSQL belong to others
		for _, table := range []string{"tails", "chunks", "trash"} {
			if _, err := tx.Exec("alter table " + table + " rename to log_" + table); err != nil {
				return err
			}
		}
	}
	for _, table := range schema {
		if _, err := tx.Exec(table); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(fmt.Sprintf("pragma user_version = %d", schemaVersion)); err != nil {
		return err
	}
	_, err := tx.Exec(`update log_trash set ready = 1`)
	return err
}

// readDSN names the file for reading only.
func readDSN(path string) string {
	pragmas := url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String() + "?" + pragmas.Encode()
}

// A row is a row of logs. The zero value stands for none.
type row struct {
	size        int64
	lines       int64
	sealed      int64
	sealedLines int64
	crc         uint32
	ahead       int
	finished    bool
	updated     int64 // microseconds since 1970
}

// tail is how many bytes are in the database file.
func (r row) tail() int64 { return r.size - r.sealed }

// load reads the row of a log.
func (t *Traces) load(ctx context.Context, job int64) (row, error) {
	var r row
	err := queryRow(ctx, t.tails, []any{&r.size, &r.lines, &r.sealed, &r.sealedLines, &r.crc, &r.ahead, &r.finished, &r.updated}, `
		select size, lines, sealed, sealed_lines, crc, ahead, finished <> 0, updated_at from logs where job_id = $1`, job)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, nil
	}
	return r, err
}

// errMoved says that another process has written to the log since its row was
// read.
var errMoved = errors.New("somebody else wrote to the log first")

// save writes the row of a log in the place of the one that was read before, or
// nothing and errMoved when that is not there any more.
func (r row) save(tx *store.Tx, job int64, before row) error {
	finished := 0
	if r.finished {
		finished = 1
	}
	var n int64
	var err error
	if before == (row{}) {
		n, err = tx.Exec(`
			insert into logs (job_id, size, lines, sealed, sealed_lines, crc, ahead, finished, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (job_id) do nothing`,
			job, r.size, r.lines, r.sealed, r.sealedLines, int64(r.crc), r.ahead, finished, r.updated)
	} else {
		n, err = tx.Exec(`
			update logs set size = $2, lines = $3, sealed = $4, sealed_lines = $5, crc = $6, ahead = $7, finished = $8, updated_at = $9
			where job_id = $1 and size = $10 and sealed = $11 and finished = 0`,
			job, r.size, r.lines, r.sealed, r.sealedLines, int64(r.crc), r.ahead, finished, r.updated, before.size, before.sealed)
	}
	if err == nil && n == 0 {
		return errMoved
	}
	return err
}

// checksum continues the checksum that runners send: CRC-32 with the polynomial of
// IEEE (contract/runner-protocol.md 5).
func checksum(crc uint32, data []byte) uint32 { return crc32.Update(crc, crc32.IEEETable, data) }
