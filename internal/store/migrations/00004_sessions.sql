-- +goose Up
-- Browsers that are signed in. Only digests of what they carry are kept.
create table sessions (
	digest     bytea primary key,
	user_id    bigint not null references users (id) on delete cascade,
	created_at bigint not null,
	expires_at bigint not null
);
create index sessions_user on sessions (user_id);
create index sessions_expires on sessions (expires_at);

-- Links that sign somebody in once.
create table sign_in_links (
	digest     bytea primary key,
	user_id    bigint not null references users (id) on delete cascade,
	expires_at bigint not null
);
create index sign_in_links_user on sign_in_links (user_id);
create index sign_in_links_expires on sign_in_links (expires_at);
