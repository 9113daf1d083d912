import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type pg from 'pg';
import { Problem } from '@trainyard/plugin-sdk';

export interface Migration {
  readonly name: string;
  /** Statements separated by semicolons; no parameters, no transaction control. */
  readonly up: string;
}

const LOCK = 0x7472_6d67;

/** All migrations in the order of their file names `NNN-what.ts`. */
export async function loadMigrations(): Promise<Migration[]> {
  const folder = new URL('./migrations/', import.meta.url);
  const files = (await readdir(folder)).filter((file) => /^\d{3}-[a-z0-9-]+\.ts$/.test(file)).sort();
  const migrations: Migration[] = [];
  for (const file of files) {
    const module: unknown = await import(new URL(file, folder).href);
    migrations.push(parseMigration(file, module));
  }
  return migrations;
}

function parseMigration(file: string, module: unknown): Migration {
  if (typeof module === 'object' && module !== null && 'name' in module && 'up' in module) {
    const { name, up } = module;
    if (typeof name === 'string' && typeof up === 'string' && `${name}.ts` === file) return { name, up };
  }
  throw new Error(`migrations/${file} must export \`name\` (as its file) and \`up\``);
}

export function migrationsDigest(migrations: readonly Migration[]): string {
  return createHash('sha256').update(JSON.stringify(migrations)).digest('hex');
}

/**
 * Brings the database up to date: each missing migration in its own transaction, in order, never back. Safe to run from
 * several hubs at once. Returns the names it applied. A database newer than this program is refused.
 */
export async function migrate(pool: pg.Pool, migrations?: readonly Migration[]): Promise<string[]> {
  const known = migrations ?? (await loadMigrations());
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    await client.query(
      `create table if not exists migration (name text primary key, applied_at timestamptz not null default now());
       create extension if not exists pg_trgm; create extension if not exists unaccent`,
    );
    const { rows } = await client.query<{ name: string }>('select name from migration');
    const done = new Set(rows.map((row) => row.name));
    const unknown = [...done].filter((name) => !known.some((migration) => migration.name === name));
    if (unknown.length > 0) {
      throw new Problem('unavailable', {
        detail: `The database was changed by a newer Trainyard (${unknown.join(', ')}).`,
        fix: 'Start that version, or restore a backup made by this one.',
      });
    }
    const applied: string[] = [];
    for (const migration of known) {
      if (done.has(migration.name)) continue;
      await apply(client, migration);
      applied.push(migration.name);
    }
    return applied;
  } finally {
    await client.query('select pg_advisory_unlock($1)', [LOCK]).catch(() => undefined);
    client.release();
  }
}

async function apply(client: pg.PoolClient, migration: Migration): Promise<void> {
  try {
    await client.query('begin; set local statement_timeout = 0');
    await client.query(migration.up);
    await client.query('insert into migration (name) values ($1)', [migration.name]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error(`migration ${migration.name} failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
