-- +goose Up
-- Jobs of the same resource group of a project run one at a time.
create table resource_groups (
	id           $id,
	project_id   bigint not null references projects (id) on delete cascade,
	key          text not null,
	process_mode text not null default 'unordered',
	created_at   bigint not null,
	updated_at   bigint not null,
	unique (project_id, key)
);

-- The group in a job's plan, of which $plan is the JSON form. Jobs that run without
-- having waited are left alone.
alter table jobs add column resource_group text not null default '';
update jobs set resource_group = coalesce($plan ->> 'resource_group', '')
	where plan like '%"resource_group":%' and status not in ('pending', 'running', 'canceling');
insert into resource_groups (project_id, key, created_at, updated_at)
	select project_id, resource_group, min(created_at), min(created_at) from jobs where resource_group <> '' group by project_id, resource_group;

-- One job holds a group, and needs no other sign of it than its status: whatever
-- ends the job, or removes it, releases the group.
create unique index jobs_resource on jobs (project_id, resource_group)
	where resource_group <> '' and status in ('pending', 'running', 'canceling');
create index jobs_upcoming on jobs (project_id, resource_group, pipeline_id)
	where resource_group <> '' and status in ('created', 'scheduled', 'waiting_for_resource');
create index jobs_waiting on jobs (project_id, resource_group) where status = 'waiting_for_resource';
