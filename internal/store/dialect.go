package store

import (
	"errors"
	"net/url"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// A dialect lists every difference between the databases. All other SQL is one
// text with $n parameters that runs on each of them. Queries may hold these
// tokens, which expand replaces when a statement is prepared:
//
//	{ints $1}      the integers of a JSON array, as a sub-select for "in"
//	{texts $1}     the same for texts
//	{skip locked}  after a sub-select that claims a row
//	{now}          the database's own clock in microseconds since 1970
type dialect struct {
	name        string
	goose       goose.Dialect
	identity    string // type of an id column, for $id in migrations
	tokens      *strings.Replacer
	tableExists string // counts the tables named $1
	insertSpecs string // $1: JSON array of [index, body], $2: digests, one after the other, $3: bytes of one digest
	insertJobs  string // $1 to $5: what all jobs share, $6: JSON array of jobRow, $7, $8: as above
	writerDSN   func(path, synchronous string) string
	readerDSN   func(path string) string
	violation   func(error) (kind violation, rule string)
}

// violation says which kind of rule of the schema a statement broke.
type violation int

const (
	noViolation violation = iota
	uniqueViolation
	foreignKeyViolation
)

// expand puts the dialect's words in place of the tokens.
func (d *dialect) expand(query string) string { return d.tokens.Replace(query) }

var sqliteDialect = &dialect{
	name:     "sqlite",
	goose:    goose.DialectSQLite3,
	identity: "integer primary key autoincrement",
	tokens: strings.NewReplacer(
		"{ints ", "(select value from json_each(",
		"{texts ", "(select value from json_each(",
		"{skip locked}", "",
		"{now}", "cast(unixepoch('subsec') * 1000000 as integer)",
		"}", "))",
	),
	tableExists: `select count(*) from sqlite_master where type = 'table' and name = $1`,
	insertSpecs: `
		insert into specs (digest, body)
		select substr($2, 1 + $3 * (value ->> 0), $3), value ->> 1
		from jsonb_each($1) where true
		on conflict (digest) do nothing`,
	insertJobs: `
		insert into jobs (pipeline_id, project_id, created_at, user_id, protected, spec_digest,
			name, stage, stage_index, status, plan, allow_failure, queue, timeout,
			queued_at, finished_at, scheduled_at, failure_reason)
		select $1, $2, $3, $4, $5, substr($7, 1 + $8 * (value ->> 0), $8),
			value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
			value ->> 9, value ->> 10, value ->> 11, value ->> 12
		from jsonb_each($6)`,
	writerDSN: func(path, synchronous string) string {
		return sqliteDSN(path, "busy_timeout(5000)", "foreign_keys(1)", "journal_mode(wal)", "journal_size_limit(67108864)",
			"synchronous("+synchronous+")", "cache_size(-16000)", "temp_store(memory)") + "&_txlock=immediate"
	},
	readerDSN: func(path string) string {
		return sqliteDSN(path, "busy_timeout(5000)", "query_only(1)", "cache_size(-8000)", "temp_store(memory)")
	},
	violation: sqliteViolation,
}

// sqliteDSN spells a data source name for modernc.org/sqlite, which ignores
// options in another driver's spelling without a word; OpenWriter therefore
// reads the important ones back.
func sqliteDSN(path string, pragmas ...string) string {
	query := url.Values{"_pragma": pragmas}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String() + "?" + query.Encode()
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

// fields gives the caller's word for each unique rule, under the name that a
// database reports it by: SQLite the columns or the index, PostgreSQL the
// constraint.
var fields = map[string]string{
	"index 'users_username'":              "username",
	"index 'users_email'":                 "email",
	"index 'namespaces_full_path'":        "path",
	"index 'projects_full_path'":          "path",
	"access_tokens.digest":                "token",
	"triggers.digest":                     "token",
	"runners.digest":                      "token",
	"jobs.token_digest":                   "token",
	"pipelines.uid":                       "uid",
	"pipelines.project_id, pipelines.iid": "iid",
	"artifacts.job_id, artifacts.type":    "type",
	"protections.project_id, protections.tag, protections.pattern": "pattern",
	"members.user_id, members.project_id, members.namespace_id":    "user_id",
}

// taken turns a broken unique rule into *Taken and leaves every other error.
func (d *dialect) taken(err error) error {
	kind, rule := d.violation(err)
	if kind != uniqueViolation {
		return err
	}
	field, ok := fields[rule]
	if !ok {
		return err
	}
	return &Taken{Field: field, Err: err}
}

// orphan reports whether err says that a row points to one that is not there.
func (d *dialect) orphan(err error) bool {
	kind, _ := d.violation(err)
	return kind == foreignKeyViolation
}
