-- +goose Up
alter table namespaces add column description text not null default '';
create index runners_namespace on runners (namespace_id) where namespace_id <> 0;
create index job_token_allowlist_group on job_token_allowlist (source_namespace_id) where source_namespace_id <> 0;
