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

// migrateSQLite is migrate for a file, under a lock that other processes respect.
func migrateSQLite(ctx context.Context, c Config) error {
	unlock, err := lockMigration(ctx, c.Path+"-migrate")
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer unlock()
	pool, err := sql.Open("sqlite", writerDSN(c.Path, "full"))
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	return migrate(ctx, pool, sqliteDialect, c.Logger)
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, pool *sql.DB, d *dialect, logger *slog.Logger, options ...goose.ProviderOption) error {
	provider, err := newProvider(pool, d, options)
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
		logger.Info("schema migrated", "version", r.Source.Version, "duration", r.Duration)
	}
	return nil
}

// newProvider gives goose the migrations in the words of the dialect.
func newProvider(pool *sql.DB, d *dialect, options []goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(d.goose, pool, schema{files, d.schema}, append(options,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))...)
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

// schema is the directory of migrations in the words of a dialect.
type schema struct {
	files fs.FS
	words *strings.Replacer
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
	return &migration{strings.NewReader(s.words.Replace(string(data))), info}, nil
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
