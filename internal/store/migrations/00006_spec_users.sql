-- +goose Up
-- Who has a specification: without it, removing one would read all jobs.
create index jobs_spec on jobs (spec_digest);
