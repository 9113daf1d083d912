import { randomBytes, createHash } from 'node:crypto';
import { chmod, chown, cp, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { Problem } from '@trainyard/plugin-sdk';
import { readableFailure } from './postgres-failure.ts';
import { findServerUser, runAs, type ServerUser } from './postgres-process.ts';
import { linkLibraries, locateBinaries } from './postgres-binaries.ts';

export interface PostgresConnection {
  /** Folder of the unix socket; 127.0.0.1 on Windows. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  readonly connection: PostgresConnection;
  /** Of the postmaster. */
  readonly pid: number;
  /** False: a server of an earlier hub was still there and is used again. */
  readonly started: boolean;
  /** `fast` lets transactions end in an error, `immediate` is for tests. Close the pools first. Idempotent. */
  stop(mode?: 'smart' | 'fast' | 'immediate'): Promise<void>;
}

export interface StartPostgresOptions {
  readonly stateDir: string;
  readonly log: (line: string) => void;
  /** No durability: for tests only. */
  readonly fast?: boolean;
}

const SUPER_USER = 'trainyard';
const DATABASE = 'trainyard';
const HUB_LOCK = 0x7472_6e79;
const SOCKET_PATH_LIMIT = 100;

interface Place {
  readonly root: string;
  readonly data: string;
  readonly log: string;
  readonly passwordFile: string;
  readonly native: string;
  readonly user: ServerUser | null;
}

/**
 * Starts the PostgreSQL of the platform package on `stateDir/postgres`, or adopts the one a killed hub left behind.
 * One hub per state directory: a second one is refused as long as the first lives.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await start(options);
  } catch (error) {
    throw await readableFailure(error, options.stateDir);
  }
}

async function start(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await preparePlace(options.stateDir);
  await refuseOtherMajor(place);
  const password = await initialize(place, options);

  const running = await runAs(place.user, join(place.native, 'bin', 'pg_ctl'), ['status', '-D', place.data]);
  const started = running.code !== 0;
  if (started) {
    const settings = await serverSettings(place, options);
    const result = await runAs(place.user, join(place.native, 'bin', 'pg_ctl'), [
      'start',
      '-w',
      '-t',
      '60',
      '-D',
      place.data,
      '-l',
      place.log,
      '-o',
      settings,
    ]);
    if (result.code !== 0) throw new Error(`${result.output}\n${await tail(place.log)}`);
  }
  const where = await readPidFile(place.data);
  const connection = { host: where.host, port: where.port, user: SUPER_USER, password, database: DATABASE };
  const stopServer = async (mode: string): Promise<void> => {
    await runAs(place.user, join(place.native, 'bin', 'pg_ctl'), [
      'stop',
      '-w',
      '-t',
      '60',
      '-m',
      mode,
      '-D',
      place.data,
    ]);
  };

  let guard: pg.Client;
  try {
    guard = await holdHubLock(connection, place);
    await ensureDatabase(guard);
  } catch (error) {
    if (started) await stopServer('fast');
    throw error;
  }
  options.log(`PostgreSQL ${started ? 'started' : 'found running'} (pid ${where.pid}, ${place.data})`);
  let stopped: Promise<void> | null = null;
  return {
    connection,
    pid: where.pid,
    started,
    stop(mode = 'fast') {
      stopped ??= guard.end().then(() => stopServer(mode));
      return stopped;
    },
  };
}

async function preparePlace(stateDir: string): Promise<Place> {
  const user = await findServerUser();
  const root = join(stateDir, 'postgres');
  await mkdir(root, { recursive: true, mode: 0o700 });
  if (user !== null) {
    // The server user only has to pass through the state directory; secrets in it are 0600 files.
    const mode = (await lstat(stateDir)).mode & 0o777;
    if ((mode & 0o001) === 0) await chmod(stateDir, mode | 0o011);
    await chown(root, user.uid, user.gid);
  }
  const packaged = await locateBinaries();
  const usable = await linkLibraries(packaged);
  const copied = join(root, 'native');
  let native = packaged;
  if (!usable || (await runAs(user, join(packaged, 'bin', 'postgres'), ['-V'])).code !== 0) {
    native = copied;
    await copyBinaries(packaged, copied, user);
  }
  if (user !== null && (await runAs(user, '/bin/sh', ['-c', 'cd "$1"', 'sh', root])).code !== 0) {
    throw new Problem('unavailable', {
      detail: `PostgreSQL runs as the user ${user.name} here, who may not enter ${root}.`,
      fix: 'Put the state directory where every user may enter, start Trainyard as a normal user, or set DATABASE_URL.',
    });
  }
  return {
    root,
    data: join(root, 'data'),
    log: join(root, 'server.log'),
    passwordFile: join(root, 'password'),
    native,
    user,
  };
}

/** The copy is complete or absent; a copy of another version is replaced. */
async function copyBinaries(from: string, to: string, user: ServerUser | null): Promise<void> {
  const version = await readFile(join(from, '..', 'package.json'), 'utf8');
  const mark = join(to, 'package.json');
  if ((await readFile(mark, 'utf8').catch(() => '')) !== version) {
    const half = `${to}.${process.pid}`;
    await rm(half, { recursive: true, force: true });
    await cp(from, half, { recursive: true, verbatimSymlinks: true });
    await linkLibraries(half);
    await writeFile(join(half, 'package.json'), version);
    await rm(to, { recursive: true, force: true });
    await rename(half, to);
  }
  if (user !== null) await chown(to, user.uid, user.gid);
}

async function refuseOtherMajor(place: Place): Promise<void> {
  const onDisk = (await readFile(join(place.data, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  if (onDisk === '') return;
  const reply = (await runAs(place.user, join(place.native, 'bin', 'postgres'), ['-V'])).output;
  const major = /\s(\d+)\./.exec(reply)?.[1] ?? '';
  if (major === onDisk) return;
  throw new Problem('unavailable', {
    detail: `The database in ${place.data} was made by PostgreSQL ${onDisk}; this Trainyard brings PostgreSQL ${major}.`,
    fix: 'Start the earlier Trainyard, run `trainyard-hub backup`, then restore into a new state directory.',
  });
}

/** Makes the cluster beside its place and renames it, so that a killed first start leaves nothing half done. */
async function initialize(place: Place, options: StartPostgresOptions): Promise<string> {
  const exists = await lstat(join(place.data, 'PG_VERSION')).then(
    () => true,
    () => false,
  );
  if (exists) return (await readFile(place.passwordFile, 'utf8')).trim();
  const password = randomBytes(24).toString('hex');
  await writeFile(place.passwordFile, `${password}\n`, { mode: 0o600 });
  if (place.user !== null) await chown(place.passwordFile, place.user.uid, place.user.gid);
  const half = `${place.data}.new`;
  await rm(half, { recursive: true, force: true });
  await mkdir(half, { mode: 0o700 });
  if (place.user !== null) await chown(half, place.user.uid, place.user.gid);
  const result = await runAs(place.user, join(place.native, 'bin', 'initdb'), [
    `--pgdata=${half}`,
    `--username=${SUPER_USER}`,
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    // LC_CTYPE must be UTF-8 as well, else pg_trgm drops every letter outside ASCII.
    '--locale=C.UTF-8',
    '--auth=scram-sha-256',
    `--pwfile=${place.passwordFile}`,
    ...(options.fast === true ? ['--no-sync'] : []),
  ]);
  if (result.code !== 0) throw new Error(result.output);
  await rename(half, place.data);
  return password;
}

async function serverSettings(place: Place, options: StartPostgresOptions): Promise<string> {
  const settings = ['shared_buffers=64MB', 'max_connections=60'];
  if (process.platform === 'win32') {
    settings.push('listen_addresses=127.0.0.1', `port=${await freePort()}`);
  } else {
    settings.push('listen_addresses=', `unix_socket_directories=${await socketFolder(place)}`, 'port=5432');
  }
  if (options.fast === true) {
    settings.push('fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'max_connections=200');
  }
  return settings.map((setting) => `-c ${quote(setting)}`).join(' ');
}

/** pg_ctl hands the options to a shell. */
function quote(text: string): string {
  return process.platform === 'win32' ? `"${text}"` : `'${text.replaceAll("'", `'\\''`)}'`;
}

async function socketFolder(place: Place): Promise<string> {
  const near = join(place.root, 'run');
  const fits = Buffer.byteLength(join(near, '.s.PGSQL.5432')) < SOCKET_PATH_LIMIT;
  const folder = fits
    ? near
    : join(tmpdir(), `ty-${createHash('sha256').update(place.root).digest('hex').slice(0, 12)}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (place.user !== null) await chown(folder, place.user.uid, place.user.gid);
  await chmod(folder, 0o700);
  return folder;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function readPidFile(data: string): Promise<{ pid: number; host: string; port: number }> {
  const [pid, , , port, socket, address] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
  const host = socket === undefined || socket === '' ? (address ?? '127.0.0.1') : socket;
  return { pid: Number(pid), port: Number(port), host };
}

/** The lock lives as long as this process: a second hub finds it taken, a hub after a kill finds it free. */
async function holdHubLock(connection: PostgresConnection, place: Place): Promise<pg.Client> {
  const client = new pg.Client({
    ...connection,
    database: 'postgres',
    application_name: `trainyard-hub ${process.pid}`,
    keepAlive: true,
  });
  client.on('error', () => undefined);
  await client.connect();
  const deadline = Date.now() + 1000;
  for (;;) {
    const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1) as got', [HUB_LOCK]);
    if (rows[0]?.got === true) return client;
    if (Date.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { rows } = await client.query<{ name: string }>(
    `select application_name as name from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and granted and objid = $1 limit 1`,
    [HUB_LOCK],
  );
  await client.end();
  throw new Problem('in-use', {
    detail: `Another Trainyard hub (pid ${rows[0]?.name.split(' ')[1] ?? 'unknown'}) uses ${dirname(place.root)}.`,
    fix: 'Stop it, or give this one another state directory.',
  });
}

async function ensureDatabase(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
  if (rowCount === 0) await client.query(`create database ${DATABASE}`);
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').slice(-15).join('\n');
}
