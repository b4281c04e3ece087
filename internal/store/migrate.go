package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose records which migrations ran.
const versionTable = "goose_db_version"

// migrate brings the schema up to date under a lock that other processes respect.
func migrate(ctx context.Context, c Config, d *dialect) error {
	unlock, err := lockMigration(ctx, c.Path+"-migrate")
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer unlock()
	pool, err := sql.Open("sqlite", d.writerDSN(c.Path, "full"))
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	provider, err := newProvider(pool, d)
	if err != nil {
		return err
	}
	current, err := checkSchema(ctx, pool, d, provider)
	if current || err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return err
	}
	for _, r := range results {
		c.Logger.Info("schema migrated", "version", r.Source.Version, "duration", r.Duration)
	}
	return nil
}

// newProvider gives goose the migrations in the words of the dialect.
func newProvider(pool *sql.DB, d *dialect) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(d.goose, pool, schema{files, d.identity},
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
}

// checkSchema reports whether the schema is current, and refuses a newer one.
func checkSchema(ctx context.Context, pool *sql.DB, d *dialect, provider *goose.Provider) (current bool, err error) {
	sources := provider.ListSources()
	known := sources[len(sources)-1].Version
	var tables, found int64
	if err := pool.QueryRowContext(ctx, d.tableExists, versionTable).Scan(&tables); err != nil {
		return false, err
	}
	if tables > 0 {
		query := `select coalesce(max(version_id), 0) from ` + versionTable
		if err := pool.QueryRowContext(ctx, query).Scan(&found); err != nil {
			return false, err
		}
	}
	if found > known {
		return false, &NewerError{Found: found, Known: known}
	}
	return found == known, nil
}

// lockMigration takes a lock that ends with the process, whatever its end: the
// write lock of an empty SQLite file beside the database, which stays there. A
// lock in the database itself would keep goose's own transactions out, and could
// not cover the switch to write-ahead logging, which does not wait for others.
func lockMigration(ctx context.Context, path string) (unlock func(), err error) {
	if err := private(path); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path, "busy_timeout(60000)"))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	if _, err := pool.ExecContext(ctx, "begin exclusive"); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return func() { pool.Close() }, nil
}

// schema is the directory of migrations with $id replaced.
type schema struct {
	files    fs.FS
	identity string
}

// Open implements fs.FS.
func (s schema) Open(name string) (fs.File, error) {
	file, err := s.files.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return file, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return &migration{strings.NewReader(strings.ReplaceAll(string(data), "$id", s.identity)), info}, nil
}

// migration is one file of the schema.
type migration struct {
	io.Reader
	info fs.FileInfo
}

// Stat implements fs.File.
func (m *migration) Stat() (fs.FileInfo, error) { return m.info, nil }

// Close implements fs.File.
func (m *migration) Close() error { return nil }
