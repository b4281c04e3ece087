package store

import (
	"strings"

	"github.com/pressly/goose/v3"
)

// A dialect lists every difference between the databases. All other SQL is one
// text with $n parameters that runs on each of them, but for the few hot paths
// that have a text of their own. Queries may hold these tokens, which expand
// replaces:
//
//	in {ints $1}   is one of the integers of an intList
//	in {texts $1}  is one of the texts of a textList
//	{skip locked}  after a sub-select that claims a row
//	{now}          the database's own clock in microseconds since 1970
type dialect struct {
	name        string
	goose       goose.Dialect
	schema      *strings.Replacer // words of the migrations
	tokens      map[string]string // what a token's first word stands for; @ is the rest of the token
	lists       func(any) any     // gives a list among the arguments the form that the driver takes; leaves others
	tableExists string            // counts the tables named $1
	violation   func(error) (kind violation, rule string)
}

// violation says which kind of rule of the schema a statement broke.
type violation int

const (
	noViolation violation = iota
	uniqueViolation
	foreignKeyViolation
	textViolation // a text that the database cannot hold
)

// expand puts the dialect's words in place of the tokens.
func (d *dialect) expand(query string) string {
	before, rest, found := strings.Cut(query, "{")
	if !found {
		return query
	}
	var b strings.Builder
	for found {
		token, after, _ := strings.Cut(rest, "}")
		word, argument, _ := strings.Cut(token, " ")
		if word == "ints" || word == "texts" { // their words have an operator of their own
			before = strings.TrimSuffix(before, "in ")
		}
		b.WriteString(before)
		b.WriteString(strings.ReplaceAll(d.tokens[word], "@", argument))
		before, rest, found = strings.Cut(after, "{")
	}
	b.WriteString(before)
	return b.String()
}

// bind gives the arguments of a query the forms that the driver takes.
func (d *dialect) bind(args []any) []any {
	for i, arg := range args {
		args[i] = d.lists(arg)
	}
	return args
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
	"variables.project_id, variables.key, variables.scope":         "key",
	"variables.namespace_id, variables.key, variables.scope":       "key",
	"variables.key":                        "key",
	"jobs.project_id, jobs.resource_group": "resource_group",

	"users_username":                         "username",
	"users_email":                            "email",
	"namespaces_full_path":                   "path",
	"projects_full_path":                     "path",
	"access_tokens_digest_key":               "token",
	"triggers_digest_key":                    "token",
	"runners_digest_key":                     "token",
	"jobs_token":                             "token",
	"pipelines_uid_key":                      "uid",
	"pipelines_project_id_iid_key":           "iid",
	"artifacts_job_id_type_key":              "type",
	"protections_project_id_tag_pattern_key": "pattern",
	"members_pkey":                           "user_id",
	"variables_project":                      "key",
	"variables_namespace":                    "key",
	"variables_instance":                     "key",
	"jobs_resource":                          "resource_group",
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
