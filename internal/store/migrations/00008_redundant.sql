-- +goose Up
-- Pipelines of a branch that a newer commit may make redundant.
create index pipelines_redundant on pipelines (project_id, ref, sha)
	where status in ('created', 'waiting_for_resource', 'pending', 'running', 'scheduled');
drop index pipelines_active;
create index pipelines_active on pipelines (id)
	where status in ('created', 'waiting_for_resource', 'pending', 'running', 'scheduled', 'manual', 'canceling');
