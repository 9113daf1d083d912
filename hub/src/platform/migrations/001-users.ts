/**
 * Tables of better-auth 1.7.5 (as its `compileMigrations()` gives them for the plugins organization and admin; camelCase is
 * its own), then ours.
 */
export const name = '001-users';

export const up = `
create table "user" (
  "id" text not null primary key, "name" text not null, "email" text not null unique, "emailVerified" boolean not null, "image" text,
  "createdAt" timestamptz default CURRENT_TIMESTAMP not null, "updatedAt" timestamptz default CURRENT_TIMESTAMP not null,
  "role" text, "banned" boolean, "banReason" text, "banExpires" timestamptz
);
create table "session" (
  "id" text not null primary key, "expiresAt" timestamptz not null, "token" text not null unique,
  "createdAt" timestamptz default CURRENT_TIMESTAMP not null, "updatedAt" timestamptz not null, "ipAddress" text, "userAgent" text,
  "userId" text not null references "user" ("id") on delete cascade, "activeOrganizationId" text, "impersonatedBy" text
);
create table "account" (
  "id" text not null primary key, "accountId" text not null, "providerId" text not null,
  "userId" text not null references "user" ("id") on delete cascade, "accessToken" text, "refreshToken" text, "idToken" text,
  "accessTokenExpiresAt" timestamptz, "refreshTokenExpiresAt" timestamptz, "scope" text, "password" text,
  "createdAt" timestamptz default CURRENT_TIMESTAMP not null, "updatedAt" timestamptz not null
);
create table "verification" (
  "id" text not null primary key, "identifier" text not null, "value" text not null, "expiresAt" timestamptz not null,
  "createdAt" timestamptz default CURRENT_TIMESTAMP not null, "updatedAt" timestamptz default CURRENT_TIMESTAMP not null
);
create table "organization" (
  "id" text not null primary key, "name" text not null, "slug" text not null unique, "logo" text, "createdAt" timestamptz not null,
  "metadata" text
);
create table "member" (
  "id" text not null primary key, "organizationId" text not null references "organization" ("id") on delete cascade,
  "userId" text not null references "user" ("id") on delete cascade, "role" text not null, "createdAt" timestamptz not null
);
create table "invitation" (
  "id" text not null primary key, "organizationId" text not null references "organization" ("id") on delete cascade, "email" text not null,
  "role" text, "status" text not null, "expiresAt" timestamptz not null, "createdAt" timestamptz default CURRENT_TIMESTAMP not null,
  "inviterId" text not null references "user" ("id") on delete cascade
);
create index "session_userId_idx" on "session" ("userId");
create index "account_userId_idx" on "account" ("userId");
create index "verification_identifier_idx" on "verification" ("identifier");
create index "member_organizationId_idx" on "member" ("organizationId");
create unique index "member_user_organization" on "member" ("userId", "organizationId");
create index "invitation_organizationId_idx" on "invitation" ("organizationId");
create index "invitation_email_idx" on "invitation" ("email");

create table installation (key text primary key, value jsonb not null);

create table access_token (
  id text primary key, user_id text not null references "user" on delete cascade, name text not null, start text not null,
  hash text not null unique, scopes text[] not null check (cardinality(scopes) > 0),
  created_at timestamptz not null default now(), expires_at timestamptz not null, last_used_at timestamptz,
  check (expires_at <= created_at + interval '90 days 1 minute')
);
create index access_token_user on access_token (user_id, created_at);

create table agent_key (
  id text primary key, agent_id text not null, hash text not null unique, created_at timestamptz not null default now(), expires_at timestamptz
);
create index agent_key_agent on agent_key (agent_id);

-- Owner of the trainers this installation brings itself. It has no members: nobody signs in as it.
insert into "organization" ("id", "name", "slug", "createdAt") values ('trainyard', 'Trainyard', 'trainyard', now());
`;
