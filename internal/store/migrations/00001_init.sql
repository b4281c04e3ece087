-- +goose Up
-- One text for both databases: $id becomes the identity column of the dialect,
-- everything else is the same. Times are microseconds since 1970 in UTC, 0 for
-- "none"; documents are JSON in text; digests, sealed values and nonces are bytes.

create table meta (
	key   text primary key,
	value text not null
);

create table users (
	id            $id,
	username      text not null,
	name          text not null,
	email         text not null,
	public_email  text not null default '',
	state         text not null,
	admin         boolean not null default false,
	confirmed     boolean not null default true,
	password_hash text not null default '',
	created_at    bigint not null
);
create unique index users_username on users (lower(username));
create unique index users_email on users (lower(email));

create table namespaces (
	id         $id,
	kind       text not null,
	name       text not null,
	path       text not null,
	full_path  text not null,
	parent_id  bigint not null default 0,
	owner_id   bigint not null default 0,
	visibility text not null,
	created_at bigint not null
);
create unique index namespaces_full_path on namespaces (lower(full_path));
create index namespaces_parent on namespaces (parent_id);
create index namespaces_owner on namespaces (owner_id);

create table projects (
	id             $id,
	namespace_id   bigint not null references namespaces (id),
	name           text not null,
	path           text not null,
	full_path      text not null,
	description    text not null default '',
	visibility     text not null,
	default_branch text not null default '',
	creator_id     bigint not null,
	archived       boolean not null default false,
	settings       text not null,
	created_at     bigint not null,
	updated_at     bigint not null
);
create unique index projects_full_path on projects (lower(full_path));
create index projects_namespace on projects (namespace_id);

-- Paths that projects had before they were renamed or moved.
create table redirects (
	path       text primary key,
	project_id bigint not null references projects (id) on delete cascade
);
create index redirects_project on redirects (project_id);

-- The last iid of each project, apart from the wide row, since each trigger writes it.
create table project_iids (
	project_id bigint primary key references projects (id) on delete cascade,
	last_iid   bigint not null
);

-- Jobs that runners hold, per project: kept in the transactions that change it.
create table project_running (
	project_id bigint primary key references projects (id) on delete cascade,
	running    bigint not null
);

create table members (
	user_id      bigint not null references users (id) on delete cascade,
	project_id   bigint not null default 0,
	namespace_id bigint not null default 0,
	role         bigint not null,
	expires_at   bigint not null default 0,
	created_at   bigint not null,
	primary key (user_id, project_id, namespace_id)
);
create index members_project on members (project_id) where project_id <> 0;
create index members_namespace on members (namespace_id) where namespace_id <> 0;

create table access_tokens (
	id         $id,
	user_id    bigint not null references users (id) on delete cascade,
	name       text not null,
	scopes     text not null,
	digest     bytea not null unique,
	expires_at bigint not null default 0,
	revoked    boolean not null default false,
	created_at bigint not null
);
create index access_tokens_user on access_tokens (user_id);

create table protections (
	id          $id,
	project_id  bigint not null references projects (id) on delete cascade,
	tag         boolean not null,
	pattern     text not null,
	push_level  bigint not null,
	merge_level bigint not null,
	force_push  boolean not null default false,
	unique (project_id, tag, pattern)
);

-- Branches and tags with their commits, kept in step with the repositories.
create table refs (
	project_id bigint not null references projects (id) on delete cascade,
	name       text not null,
	sha        text not null,
	primary key (project_id, name)
);

create table triggers (
	id          $id,
	project_id  bigint not null references projects (id) on delete cascade,
	owner_id    bigint not null references users (id) on delete cascade,
	description text,
	digest      bytea not null unique,
	sealed      bytea not null,
	short       text not null,
	expires_at  bigint not null default 0,
	created_at  bigint not null,
	updated_at  bigint not null
);
create index triggers_project on triggers (project_id, id);
create index triggers_expiring on triggers (expires_at) where expires_at <> 0;
create index triggers_owner on triggers (owner_id);

create table pipelines (
	id             $id,
	iid            bigint not null,
	uid            text not null unique,
	project_id     bigint not null,
	ref            text not null,
	tag            boolean not null,
	sha            text not null,
	before_sha     text not null,
	source         text not null,
	status         text not null,
	protected      boolean not null default false,
	user_id        bigint not null,
	trigger_id     bigint not null default 0,
	name           text not null default '',
	yaml_errors    text not null default '',
	failure_reason text not null default '',
	stages         text not null default '[]',
	created_at     bigint not null,
	updated_at     bigint not null,
	started_at     bigint not null default 0,
	finished_at    bigint not null default 0,
	duration       bigint not null default -1,
	version        bigint not null default 0,
	unique (project_id, iid)
);
create index pipelines_project on pipelines (project_id, id);
create index pipelines_ref on pipelines (project_id, ref, id);
create index pipelines_trigger on pipelines (trigger_id, id) where trigger_id <> 0;
create index pipelines_active on pipelines (id) where status in ('created', 'pending', 'running', 'scheduled', 'manual', 'canceling');

-- Sealed as one document: nobody queries a single variable.
create table pipeline_variables (
	pipeline_id bigint primary key references pipelines (id) on delete cascade,
	sealed      bytea not null
);

create table upstreams (
	pipeline_id        bigint primary key references pipelines (id) on delete cascade,
	source_project_id  bigint not null,
	source_pipeline_id bigint not null,
	source_job_id      bigint not null
);
create index upstreams_source on upstreams (source_pipeline_id);

create table specs (
	digest bytea primary key,
	body   text not null
);

-- A job's tags are in the name of its queue (ci.Queue).
create table jobs (
	id                  $id,
	pipeline_id         bigint not null references pipelines (id) on delete cascade,
	project_id          bigint not null,
	name                text not null,
	stage               text not null,
	stage_index         bigint not null,
	status              text not null,
	plan                text not null,
	allow_failure       boolean not null,
	retried             boolean not null default false,
	attempt             bigint not null default 0,
	protected           boolean not null default false,
	user_id             bigint not null,
	played              boolean not null default false,
	sealed_variables    bytea,
	spec_digest         bytea not null references specs (digest),
	queue               text not null,
	timeout             bigint not null,
	runner_id           bigint not null default 0,
	manager_id          bigint not null default 0,
	graceful            boolean not null default false,
	token_nonce         bytea,
	token_digest        bytea,
	failure_reason      text not null default '',
	exit_code           bigint not null default 0,
	coverage            double precision,
	created_at          bigint not null,
	queued_at           bigint not null default 0,
	started_at          bigint not null default 0,
	finished_at         bigint not null default 0,
	scheduled_at        bigint not null default 0,
	erased_at           bigint not null default 0,
	erased_by           bigint not null default 0,
	artifacts_expire_at bigint not null default 0,
	contacted_at        bigint not null default 0
);
create index jobs_pipeline on jobs (pipeline_id, id);
create index jobs_project on jobs (project_id, id);
create index jobs_pending on jobs (queue, id) where status = 'pending';
create index jobs_held on jobs (manager_id, id) where status in ('running', 'canceling');
create index jobs_scheduled on jobs (scheduled_at) where status = 'scheduled';
create index jobs_expiring on jobs (artifacts_expire_at) where artifacts_expire_at <> 0;
create unique index jobs_token on jobs (token_digest) where token_digest is not null;

create table artifacts (
	id         $id,
	job_id     bigint not null references jobs (id) on delete cascade,
	project_id bigint not null,
	type       text not null,
	format     text not null,
	name       text not null,
	size       bigint not null,
	sha256     bytea not null,
	blob_key   text not null,
	access     text not null default '',
	expire_in  text not null default '',
	created_at bigint not null,
	unique (job_id, type)
);

create table runners (
	id              $id,
	type            text not null,
	description     text not null default '',
	note            text not null default '',
	digest          bytea not null unique,
	short           text not null default '',
	paused          boolean not null default false,
	locked          boolean not null default false,
	run_untagged    boolean not null default true,
	ref_protected   boolean not null default false,
	tags            text not null default '[]',
	maximum_timeout bigint not null default 0,
	namespace_id    bigint not null default 0,
	creator_id      bigint not null default 0,
	built_in        boolean not null default false,
	created_at      bigint not null,
	contacted_at    bigint not null default 0
);

create table runner_projects (
	runner_id  bigint not null references runners (id) on delete cascade,
	project_id bigint not null references projects (id) on delete cascade,
	primary key (runner_id, project_id)
);
create index runner_projects_project on runner_projects (project_id);

create table runner_managers (
	id           $id,
	runner_id    bigint not null references runners (id) on delete cascade,
	system_id    text not null,
	name         text not null default '',
	version      text not null default '',
	revision     text not null default '',
	platform     text not null default '',
	architecture text not null default '',
	executor     text not null default '',
	ip_address   text not null default '',
	created_at   bigint not null,
	contacted_at bigint not null default 0,
	unique (runner_id, system_id)
);

-- Whose job tokens may act on a project: other projects, or all below a group.
create table job_token_allowlist (
	project_id          bigint not null references projects (id) on delete cascade,
	source_project_id   bigint not null default 0,
	source_namespace_id bigint not null default 0,
	primary key (project_id, source_project_id, source_namespace_id)
);
create index job_token_allowlist_source on job_token_allowlist (source_project_id) where source_project_id <> 0;

-- Answers of the trigger call that may be asked for again (decisions: writing, 4).
create table idempotency (
	scope       bytea not null,
	key         text not null,
	body_digest bytea not null,
	pipeline_id bigint not null,
	created_at  bigint not null,
	primary key (scope, key)
);
create index idempotency_pipeline on idempotency (pipeline_id);
create index idempotency_created on idempotency (created_at);

-- Blobs and repositories whose rows are gone and that a loop removes from disk.
create table trash (
	id         $id,
	kind       text not null,
	key        text not null,
	created_at bigint not null
);

create table leases (
	name   text primary key,
	holder text not null,
	until  bigint not null
);
