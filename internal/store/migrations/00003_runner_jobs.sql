-- +goose Up
create index jobs_runner on jobs (runner_id, id) where runner_id <> 0;
