CREATE TABLE access_tokens (
	id         integer primary key autoincrement,
	user_id    bigint not null references users (id) on delete cascade,
	name       text not null,
	scopes     text not null,
	digest     bytea not null unique,
	expires_at bigint not null default 0,
	revoked    boolean not null default false,
	created_at bigint not null
);
CREATE INDEX access_tokens_user on access_tokens (user_id);
CREATE TABLE artifacts (
	id         integer primary key autoincrement,
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
CREATE TABLE idempotency (
	scope       bytea not null,
	key         text not null,
	body_digest bytea not null,
	pipeline_id bigint not null,
	created_at  bigint not null,
	primary key (scope, key)
);
CREATE INDEX idempotency_created on idempotency (created_at);
CREATE INDEX idempotency_pipeline on idempotency (pipeline_id);
CREATE TABLE job_token_allowlist (
	project_id          bigint not null references projects (id) on delete cascade,
	source_project_id   bigint not null default 0,
	source_namespace_id bigint not null default 0,
	primary key (project_id, source_project_id, source_namespace_id)
);
CREATE INDEX job_token_allowlist_group on job_token_allowlist (source_namespace_id) where source_namespace_id <> 0;
CREATE INDEX job_token_allowlist_source on job_token_allowlist (source_project_id) where source_project_id <> 0;
CREATE TABLE jobs (
	id                  integer primary key autoincrement,
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
, resource_group text not null default '');
CREATE INDEX jobs_expiring on jobs (artifacts_expire_at) where artifacts_expire_at <> 0;
CREATE INDEX jobs_held on jobs (manager_id, id) where status in ('running', 'canceling');
CREATE INDEX jobs_pending on jobs (queue, id) where status = 'pending';
CREATE INDEX jobs_pipeline on jobs (pipeline_id, id);
CREATE INDEX jobs_project on jobs (project_id, id);
CREATE UNIQUE INDEX jobs_resource on jobs (project_id, resource_group)
	where resource_group <> '' and status in ('pending', 'running', 'canceling');
CREATE INDEX jobs_runner on jobs (runner_id, id) where runner_id <> 0;
CREATE INDEX jobs_scheduled on jobs (scheduled_at) where status = 'scheduled';
CREATE INDEX jobs_spec on jobs (spec_digest);
CREATE UNIQUE INDEX jobs_token on jobs (token_digest) where token_digest is not null;
CREATE INDEX jobs_upcoming on jobs (project_id, resource_group, pipeline_id)
	where resource_group <> '' and status in ('created', 'scheduled', 'waiting_for_resource');
CREATE INDEX jobs_waiting on jobs (project_id, resource_group) where status = 'waiting_for_resource';
CREATE TABLE leases (
	name   text primary key,
	holder text not null,
	until  bigint not null
);
CREATE TABLE members (
	user_id      bigint not null references users (id) on delete cascade,
	project_id   bigint not null default 0,
	namespace_id bigint not null default 0,
	role         bigint not null,
	expires_at   bigint not null default 0,
	created_at   bigint not null,
	primary key (user_id, project_id, namespace_id)
);
CREATE INDEX members_namespace on members (namespace_id) where namespace_id <> 0;
CREATE INDEX members_project on members (project_id) where project_id <> 0;
CREATE TABLE meta (
	key   text primary key,
	value text not null
);
CREATE TABLE namespaces (
	id         integer primary key autoincrement,
	kind       text not null,
	name       text not null,
	path       text not null,
	full_path  text not null,
	parent_id  bigint not null default 0,
	owner_id   bigint not null default 0,
	visibility text not null,
	created_at bigint not null
, description text not null default '');
CREATE UNIQUE INDEX namespaces_full_path on namespaces (lower(full_path));
CREATE INDEX namespaces_owner on namespaces (owner_id);
CREATE INDEX namespaces_parent on namespaces (parent_id);
CREATE TABLE pipeline_variables (
	pipeline_id bigint primary key references pipelines (id) on delete cascade,
	sealed      bytea not null
);
CREATE TABLE pipelines (
	id             integer primary key autoincrement,
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
CREATE INDEX pipelines_active on pipelines (id)
	where status in ('created', 'waiting_for_resource', 'pending', 'running', 'scheduled', 'manual', 'canceling');
CREATE INDEX pipelines_project on pipelines (project_id, id);
CREATE INDEX pipelines_redundant on pipelines (project_id, ref, sha)
	where status in ('created', 'waiting_for_resource', 'pending', 'running', 'scheduled');
CREATE INDEX pipelines_ref on pipelines (project_id, ref, id);
CREATE INDEX pipelines_trigger on pipelines (trigger_id, id) where trigger_id <> 0;
CREATE TABLE project_iids (
	project_id bigint primary key references projects (id) on delete cascade,
	last_iid   bigint not null
);
CREATE TABLE project_running (
	project_id bigint primary key references projects (id) on delete cascade,
	running    bigint not null
);
CREATE TABLE projects (
	id             integer primary key autoincrement,
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
CREATE UNIQUE INDEX projects_full_path on projects (lower(full_path));
CREATE INDEX projects_namespace on projects (namespace_id);
CREATE TABLE protections (
	id          integer primary key autoincrement,
	project_id  bigint not null references projects (id) on delete cascade,
	tag         boolean not null,
	pattern     text not null,
	push_level  bigint not null,
	merge_level bigint not null,
	force_push  boolean not null default false,
	unique (project_id, tag, pattern)
);
CREATE TABLE redirects (
	path       text primary key,
	project_id bigint not null references projects (id) on delete cascade
);
CREATE INDEX redirects_project on redirects (project_id);
CREATE TABLE refs (
	project_id bigint not null references projects (id) on delete cascade,
	name       text not null,
	sha        text not null,
	primary key (project_id, name)
);
CREATE TABLE resource_groups (
	id           integer primary key autoincrement,
	project_id   bigint not null references projects (id) on delete cascade,
	key          text not null,
	process_mode text not null default 'unordered',
	created_at   bigint not null,
	updated_at   bigint not null,
	unique (project_id, key)
);
CREATE TABLE runner_managers (
	id           integer primary key autoincrement,
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
CREATE TABLE runner_projects (
	runner_id  bigint not null references runners (id) on delete cascade,
	project_id bigint not null references projects (id) on delete cascade,
	primary key (runner_id, project_id)
);
CREATE INDEX runner_projects_project on runner_projects (project_id);
CREATE TABLE runners (
	id              integer primary key autoincrement,
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
CREATE INDEX runners_namespace on runners (namespace_id) where namespace_id <> 0;
CREATE TABLE sessions (
	digest     bytea primary key,
	user_id    bigint not null references users (id) on delete cascade,
	created_at bigint not null,
	expires_at bigint not null
);
CREATE INDEX sessions_expires on sessions (expires_at);
CREATE INDEX sessions_user on sessions (user_id);
CREATE TABLE sign_in_links (
	digest     bytea primary key,
	user_id    bigint not null references users (id) on delete cascade,
	expires_at bigint not null
);
CREATE INDEX sign_in_links_expires on sign_in_links (expires_at);
CREATE INDEX sign_in_links_user on sign_in_links (user_id);
CREATE TABLE specs (
	digest bytea primary key,
	body   text not null
);
CREATE TABLE test_summaries (
	job_id bigint primary key references jobs (id) on delete cascade,
	body   text not null
);
CREATE TABLE trash (
	id         integer primary key autoincrement,
	kind       text not null,
	key        text not null,
	created_at bigint not null
);
CREATE TABLE triggers (
	id          integer primary key autoincrement,
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
CREATE INDEX triggers_expiring on triggers (expires_at) where expires_at <> 0;
CREATE INDEX triggers_owner on triggers (owner_id);
CREATE INDEX triggers_project on triggers (project_id, id);
CREATE TABLE upstreams (
	pipeline_id        bigint primary key references pipelines (id) on delete cascade,
	source_project_id  bigint not null,
	source_pipeline_id bigint not null,
	source_job_id      bigint not null
);
CREATE INDEX upstreams_source on upstreams (source_pipeline_id);
CREATE TABLE users (
	id            integer primary key autoincrement,
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
CREATE UNIQUE INDEX users_email on users (lower(email));
CREATE UNIQUE INDEX users_username on users (lower(username));
CREATE TABLE variables (
	id           integer primary key autoincrement,
	project_id   bigint references projects (id) on delete cascade,
	namespace_id bigint references namespaces (id) on delete cascade,
	key          text not null,
	scope        text not null,
	sealed       bytea not null,
	file         boolean not null,
	raw          boolean not null,
	protected    boolean not null,
	masked       boolean not null,
	hidden       boolean not null,
	description  text not null default '',
	created_at   bigint not null,
	check (project_id is null or namespace_id is null)
);
CREATE UNIQUE INDEX variables_instance on variables (key) where project_id is null and namespace_id is null;
CREATE UNIQUE INDEX variables_namespace on variables (namespace_id, key, scope) where namespace_id is not null;
CREATE UNIQUE INDEX variables_project on variables (project_id, key, scope) where project_id is not null;
CREATE TABLE variables_version (
	id      bigint primary key,
	version bigint not null
);
