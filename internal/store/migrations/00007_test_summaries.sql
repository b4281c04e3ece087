-- +goose Up
-- What the test reports of jobs came to, as JSON; it outlives the reports.
create table test_summaries (
	job_id bigint primary key references jobs (id) on delete cascade,
	body   text not null
);
