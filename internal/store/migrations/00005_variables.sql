-- +goose Up
-- CI/CD variables of projects, of groups and, with neither, of the instance.
create table variables (
	id           $id,
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
create unique index variables_project on variables (project_id, key, scope) where project_id is not null;
create unique index variables_namespace on variables (namespace_id, key, scope) where namespace_id is not null;
create unique index variables_instance on variables (key) where project_id is null and namespace_id is null;

-- One row: it counts the changes of variables, and of the groups that they come
-- from, so that a process knows whether those that it has opened still hold.
create table variables_version (
	id      bigint primary key,
	version bigint not null
);
insert into variables_version (id, version) values (1, 1);
