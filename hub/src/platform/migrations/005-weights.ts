/** Files that models start from, by digest, and pictures brought for one prediction. */
export const name = '005-weights';

export const up = `
alter table blob drop constraint blob_store_check, add constraint blob_store_check check (store in ('datasets', 'results', 'packages', 'weights'));
create table weights_file (
  id uuid primary key, organization_id text not null, visibility text not null, name text not null, sha256 text not null, bytes bigint, license text,
  source text not null, state text not null, received bigint not null default 0, note text, added_by text not null, created_at timestamptz not null default now(),
  unique (organization_id, sha256)
);
create index weights_file_digest on weights_file (sha256);
create table picture_set (
  id uuid primary key, organization_id text not null, files jsonb not null, created_by text not null, created_at timestamptz not null default now()
);
`;
