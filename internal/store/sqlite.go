package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

var sqliteDialect = &dialect{
	name:   "sqlite",
	goose:  goose.DialectSQLite3,
	schema: strings.NewReplacer("$id", "integer primary key autoincrement", "$plan", "plan"),
	tokens: map[string]string{
		"ints":  "in (select value from json_each(@))",
		"texts": "in (select value from json_each(@))",
		"skip":  "",
		"now":   "cast(unixepoch('subsec') * 1000000 as integer)",
	},
	lists:       jsonLists,
	tableExists: `select count(*) from sqlite_master where type = 'table' and name = $1`,
	violation:   sqliteViolation,
}

// jsonLists gives a list as JSON, which is what SQLite can read one from.
func jsonLists(arg any) any {
	switch list := arg.(type) {
	case intList:
		return text([]int64(list))
	case textList:
		return text([]string(list))
	}
	return arg
}

func sqliteViolation(err error) (violation, string) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return noViolation, ""
	}
	switch e.Code() {
	case sqlitelib.SQLITE_CONSTRAINT_UNIQUE, sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY:
		_, rule, _ := strings.Cut(e.Error(), "UNIQUE constraint failed: ")
		rule, _, _ = strings.Cut(rule, " (")
		return uniqueViolation, rule
	case sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return foreignKeyViolation, ""
	}
	return noViolation, ""
}

// refused reports whether the schema refused a statement, which leaves the
// transaction as it was before it.
func refused(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlitelib.SQLITE_CONSTRAINT
}

// writerDSN names a file for the writer.
func writerDSN(path, synchronous string) string {
	return sqliteDSN(path, "busy_timeout(5000)", "foreign_keys(1)", "journal_mode(wal)", "journal_size_limit(67108864)",
		"synchronous("+synchronous+")", "cache_size(-16000)", "temp_store(memory)") + "&_txlock=immediate"
}

// readerDSN names a file for reading only.
func readerDSN(path string) string {
	return sqliteDSN(path, "busy_timeout(5000)", "query_only(1)", "cache_size(-8000)", "temp_store(memory)")
}

// sqliteDSN spells a data source name for modernc.org/sqlite, which ignores
// options in another driver's spelling without a word; OpenWriter therefore
// reads the important ones back.
func sqliteDSN(path string, pragmas ...string) string {
	query := url.Values{"_pragma": pragmas}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String() + "?" + query.Encode()
}

// sqliteWrites takes writes for a SQLite file.
type sqliteWrites struct{ writer *Writer }

func openSQLite(ctx context.Context, c Config) (*DB, error) {
	if err := private(c.Path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := migrateSQLite(ctx, c); err != nil {
		return nil, fmt.Errorf("migrate %s: %w", c.Path, err)
	}
	writer, err := OpenWriter(ctx, WriterConfig{Path: c.Path, Synchronous: "full", Statement: c.Statement, Committed: c.Committed})
	if err != nil {
		return nil, err
	}
	view, err := openSQLiteView(ctx, c)
	if err == nil {
		err = writer.Do(ctx, teachChanges)
	}
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return &DB{writes: &sqliteWrites{writer}, view: view, dialect: sqliteDialect, now: c.Now}, nil
}

// private makes an empty file that only this account may read, so that SQLite
// does not make one that others may. The files beside it copy its mode. A file
// that is there is not opened: closing it would drop the locks that another
// connection of this process holds.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

func (s *sqliteWrites) do(ctx context.Context, _ isolation, fn func(*Tx) error) error {
	return s.writer.Do(ctx, fn)
}

func (s *sqliteWrites) checkpoint(ctx context.Context) error { return s.writer.Checkpoint(ctx) }

func (s *sqliteWrites) queued() int { return s.writer.Queued() }

func (s *sqliteWrites) stats() sql.DBStats { return s.writer.pool.Stats() }

func (s *sqliteWrites) close() error { return s.writer.Close() }
