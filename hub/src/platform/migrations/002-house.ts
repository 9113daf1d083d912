/** Audit, projects, blobs, jobs, journal, datasets, trainers, runs. Columns are explained beside the entities and statements of each room. */
export const name = '002-house';

export const up = `
create table audit_entry (
  id bigserial primary key,
  at timestamptz not null default now(),
  organization_id text,
  actor_kind text not null, actor_id text not null, actor_name text not null,
  action text not null, subject text not null, changes jsonb not null default '{}', request_id text
);
create index audit_entry_action on audit_entry (action, id desc);
create index audit_entry_subject on audit_entry (subject, id desc);
create function refuse_change() returns trigger language plpgsql as $$ begin raise exception 'audit entries are never changed'; end $$;
create trigger audit_entry_fixed before update or delete on audit_entry for each row execute function refuse_change();

create table idempotency_key (
  principal text not null, key text not null, body_digest text not null, status int not null, reply jsonb not null, at timestamptz not null default now(),
  primary key (principal, key)
);

create table project (
  id uuid primary key, organization_id text not null, slug text not null, name text not null, created_at timestamptz not null default now(),
  unique (organization_id, slug)
);

create table blob (
  store text not null check (store in ('datasets', 'results', 'packages')), sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  bytes bigint not null check (bytes >= 0), created_at timestamptz not null default now(),
  primary key (store, sha256)
);
create table blob_use (
  store text not null, sha256 text not null, organization_id text not null, owner_kind text not null, owner_id text not null,
  primary key (store, sha256, owner_kind, owner_id), foreign key (store, sha256) references blob
);
create index blob_use_owner on blob_use (owner_kind, owner_id);
create index blob_use_organization on blob_use (organization_id, sha256);

create sequence fence;
create table job (
  id uuid primary key,
  kind text not null, state text not null, subject text not null, organization_id text not null,
  spec jsonb not null, priority int not null default 0,
  hold text, not_before timestamptz not null default now(),
  stop_asked jsonb, tries jsonb not null default '{}', disruptions int not null default 0, next_number int not null default 1,
  resume_artifact uuid, outcome jsonb,
  created_at timestamptz not null default now(), ended_at timestamptz
);
create index job_waiting on job (priority desc, created_at, id) where state = 'queued' and hold is null;
create index job_subject on job (subject, created_at);
create table attempt (
  id uuid primary key, job uuid not null references job, number int not null, fence bigint not null default nextval('fence'),
  agent text not null, execution text,
  phase text not null default 'claimed', sentence text, progress double precision, live jsonb,
  lease_expires_at timestamptz not null, resumed_step bigint, resumed_artifact uuid, outcome jsonb,
  started_at timestamptz not null default now(), running_at timestamptz, ended_at timestamptz,
  unique (job, number)
);
create unique index attempt_open on attempt (job) where ended_at is null;
create index attempt_lease on attempt (lease_expires_at) where ended_at is null;
create table agent (
  id text primary key, kinds jsonb not null, offers jsonb not null, ready jsonb not null, slots int not null, last_seen_at timestamptz not null default now()
);

create table attempt_mark (
  attempt uuid primary key references attempt, next_seq bigint not null default 1,
  stdout_acked bigint not null default 0, stderr_acked bigint not null default 0, log_kept bigint not null default 0, log_dropped bigint not null default 0,
  segments int not null default 0, points bigint not null default 0,
  latest jsonb not null default '{}', progress jsonb, usage jsonb
);
create table metric_segment (
  id bigserial primary key, attempt uuid not null, first_seq bigint not null, last_seq bigint not null, points int not null, body jsonb not null
);
create unique index metric_segment_attempt on metric_segment (attempt, first_seq);
create table series (
  id bigserial primary key, attempt uuid not null, name text not null, split text not null, unique (attempt, name, split)
);
create table metric_chunk (
  series bigint not null references series, first_point bigint not null, points int not null, step0 double precision not null, step1 double precision not null,
  min double precision, max double precision, l512 bytea not null, l64 bytea not null, l8 bytea not null, body bytea not null,
  primary key (series, first_point)
);
alter table metric_chunk alter column body set storage external, alter column l8 set storage external;
create table attempt_event (
  attempt uuid not null, seq bigint not null, type text not null, body jsonb not null, received_at timestamptz not null default now(), primary key (attempt, seq)
);
create table log_chunk (
  id bigserial primary key, attempt uuid not null, stream text not null, at_offset bigint not null, body bytea not null
);
create index log_chunk_attempt on log_chunk (attempt, id);
create table artifact (
  id uuid primary key, attempt uuid not null references attempt, job uuid not null, subject text not null, organization_id text not null,
  kind text not null, path text not null, media_type text not null, sha256 text not null, bytes bigint not null, files jsonb not null, meta jsonb not null,
  created_at timestamptz not null default now(), unique (attempt, path, sha256)
);
create index artifact_subject on artifact (subject, created_at);

create table dataset (
  id uuid primary key, organization_id text not null, name text not null, visibility text not null, license text, description text, sample boolean not null default false,
  created_by text not null, created_at timestamptz not null default now(), deleted_at timestamptz
);
create index dataset_organization on dataset (organization_id, created_at);
create table snapshot (
  id uuid primary key, dataset uuid not null references dataset, number int not null, digest text not null, format text not null, task text not null,
  classes jsonb not null, splits jsonb not null, split_method text not null, files int not null, bytes bigint not null, created_at timestamptz not null default now(),
  unique (dataset, digest), unique (dataset, number)
);
create table snapshot_file (
  snapshot uuid not null references snapshot, path text not null, split text not null, class int, sha256 text not null, bytes bigint not null,
  primary key (snapshot, path)
);
create index snapshot_file_split on snapshot_file (snapshot, split, class, path);

create table trainer (
  id uuid primary key, organization_id text not null, owner text not null, name text not null, official boolean not null default false, created_at timestamptz not null default now(),
  unique (owner, name)
);
create table release (
  id uuid primary key, trainer uuid not null references trainer, version text not null, state text not null, hold text,
  package_digest text not null, package_sha512 text not null, package_bytes bigint not null,
  manifest jsonb not null, manifest_digest text not null, config_schema text not null, presets jsonb not null, readme text not null, changelog text, entries jsonb not null,
  title text not null, summary text not null, license text not null, framework text not null, tasks text[] not null, exports text[] not null, devices text[] not null,
  level text not null default 'none', report jsonb, reason text,
  submitted_by text not null, submitted_at timestamptz not null default now(), published_at timestamptz, version_key text not null, current_job uuid,
  search tsvector generated always as (
    setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', summary || ' ' || framework), 'B') || setweight(to_tsvector('simple', left(readme, 20000)), 'D')
  ) stored
);
create unique index release_version on release (trainer, version) where state not in ('rejected', 'discarded');
create index release_search on release using gin (search);
create index release_title_trgm on release using gin (title gin_trgm_ops);
create index release_state on release (state, published_at desc);
create function keep_published_digest() returns trigger language plpgsql as $$
begin
  if old.published_at is not null and new.package_digest <> old.package_digest then raise exception 'a published digest never changes'; end if;
  return new;
end $$;
create trigger release_digest_fixed before update on release for each row execute function keep_published_digest();
create table approved_digest (
  digest text primary key, approved_by text not null, approved_at timestamptz not null default now()
);
create table schema_check (
  digest text primary key, findings jsonb not null, checked_at timestamptz not null default now()
);
create table bundled (
  name text primary key, title text not null, summary text not null, version text not null, package_digest text not null, package_bytes bigint not null,
  download_bytes bigint not null, job uuid, release uuid
);

create table run (
  id uuid primary key, organization_id text not null, project uuid references project, name text not null, verb text not null, state text not null,
  release uuid not null references release, release_digest text not null, task text not null, model text not null,
  snapshot uuid references snapshot, snapshot_digest text,
  request jsonb not null, preset text, config jsonb not null, config_digest text not null, seed int not null, device text not null, options jsonb not null default '{}',
  parent uuid references run, checkpoint uuid references artifact, stop_what text, current_job uuid, failure jsonb,
  visibility text not null, sample boolean not null default false,
  created_by text not null, created_at timestamptz not null default now(), started_at timestamptz, ended_at timestamptz
);
create index run_organization on run (organization_id, created_at desc, id desc);
create index run_visible on run (visibility, created_at desc, id desc);
create index run_release on run (release);
create index run_parent on run (parent);
create function keep_frozen_run() returns trigger language plpgsql as $$
begin
  if (new.release_digest, new.config_digest, new.snapshot_digest, new.seed) is distinct from (old.release_digest, old.config_digest, old.snapshot_digest, old.seed) then
    raise exception 'what a run was started with never changes';
  end if;
  return new;
end $$;
create trigger run_frozen before update on run for each row execute function keep_frozen_run();
`;
