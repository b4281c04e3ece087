package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The yardstick is the least that a trigger on PostgreSQL can come to: tables with
// hardly an index, and one statement that counts up, inserts a pipeline with five
// jobs and five variables, and commits. It checks nothing and speaks no HTTP.
const (
	yardstickTables = `
	create table tokens (id bigint generated always as identity primary key, hash bytea not null unique, project_id bigint not null, last_used bigint);
	create table projects (id bigint primary key, path text not null unique, last_iid bigint not null default 0);
	create table pipelines (id bigint generated always as identity primary key, project_id bigint not null, iid bigint not null,
		ref text not null, sha text not null, status text not null, source text not null, created_at bigint not null, unique (project_id, iid));
	create table jobs (id bigint generated always as identity primary key, pipeline_id bigint not null, name text not null, stage text not null,
		status text not null, spec text not null, created_at bigint not null, runner_id bigint, token bytea);
	create index on jobs (pipeline_id);
	create index jobs_pending on jobs (id) where status = 'pending';
	create table variables (pipeline_id bigint not null, key text not null, value text not null, primary key (pipeline_id, key));
	insert into projects (id, path) select n, 'g/p' || n from generate_series(1, 50) n;
	insert into tokens (hash, project_id) select sha256(n::text::bytea), n % 50 + 1 from generate_series(1, 10000) n;
	analyze`
	yardstickTrigger = `
	with token as (update tokens set last_used = $5 where id = $2),
	project as (update projects set last_iid = last_iid + 1 where id = $1 returning last_iid),
	pipeline as (
		insert into pipelines (project_id, iid, ref, sha, status, source, created_at)
		select $1, last_iid, $3, $4, 'pending', 'trigger', $5 from project returning id
	), job as (
		insert into jobs (pipeline_id, name, stage, status, spec, created_at)
		select pipeline.id, name, 'test', 'pending', spec, $5 from pipeline, unnest($6::text[], $7::text[]) as u (name, spec)
	), variable as (
		insert into variables select pipeline.id, key, value from pipeline, unnest($8::text[], $9::text[]) as u (key, value)
	) select id from pipeline`
)

// yardstick gives one trigger of it.
func yardstick(b *testing.B, url string) func(context.Context) error {
	b.Helper()
	pool, err := pgxpool.New(b.Context(), url+"?pool_max_conns=16")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	if _, err := pool.Exec(b.Context(), yardstickTables, pgx.QueryExecModeSimpleProtocol); err != nil {
		b.Fatal(err)
	}
	names := []string{"build", "unit", "lint", "integration", "deploy"}
	specs, values := make([]string, len(names)), make([]string, len(names))
	for i := range names {
		specs[i] = strings.Repeat(`{"script":["make build","make test"],"image":"golang:1.26"},`, 20)
		values[i] = fmt.Sprintf("value %d of a variable", i)
	}
	return func(ctx context.Context) error {
		var id int64
		return pool.QueryRow(ctx, yardstickTrigger, rand.Int64N(50)+1, rand.Int64N(10_000)+1, "refs/heads/main",
			"0123456789abcdef0123456789abcdef01234567", time.Now().UnixMicro(), names, specs, names, values).Scan(&id)
	}
}
