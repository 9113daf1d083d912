/** Datasets of all formats: labels to draw, what was said at the upload, and views in other formats. */
export const name = '003-datasets';

export const up = `
alter table snapshot
  add column keypoints jsonb, add column layout jsonb, add column labels int, add column because text, add column warnings jsonb not null default '[]';
alter table snapshot_file
  add column width int, add column height int, add column classes int[], add column labels jsonb;
create table snapshot_view (
  id uuid primary key, snapshot uuid not null references snapshot, task text not null, format text not null, digest text not null,
  classes jsonb not null, keypoints jsonb, layout jsonb not null, conversion jsonb not null, bytes bigint not null, created_at timestamptz not null default now(),
  unique (snapshot, task, format)
);
create index snapshot_view_digest on snapshot_view (snapshot, digest);
create table snapshot_view_file (
  view uuid not null references snapshot_view, path text not null, sha256 text not null, bytes bigint not null, primary key (view, path)
);
`;
