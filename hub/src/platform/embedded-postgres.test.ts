import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Problem } from '@trainyard/plugin-sdk';
import { openDatabase } from './database.ts';
import { startPostgres } from './embedded-postgres.ts';

let stateDir: string;
before(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'ty-'));
});
after(() => rm(stateDir, { recursive: true, force: true }));
const log = (): void => undefined;

test('first start makes a UTF-8 database without a TCP port; a second hub is refused; stop and restart keep the rows', async () => {
  const server = await startPostgres({ stateDir, log, fast: true });
  try {
    assert.equal((await stat(join(stateDir, 'postgres', 'password'))).mode & 0o777, 0o600);
    const database = await openDatabase({ connection: server.connection });
    const { rows } = await database.pool.query(
      `select current_setting('listen_addresses') as tcp, current_setting('server_encoding') as encoding`,
    );
    assert.deepEqual(rows, [{ tcp: '', encoding: 'UTF8' }]);
    await database.pool.query(`create table kept as select '탐지' as word`);
    await database.close();
    await assert.rejects(
      startPostgres({ stateDir, log, fast: true }),
      (error) => error instanceof Problem && error.code === 'in-use' && error.message.includes(String(process.pid)),
    );
  } finally {
    await server.stop();
  }
  const again = await startPostgres({ stateDir, log, fast: true });
  try {
    const database = await openDatabase({ connection: again.connection });
    assert.deepEqual((await database.pool.query('select word from kept')).rows, [{ word: '탐지' }]);
    await database.close();
  } finally {
    await again.stop('immediate');
  }
});

test('the server of a killed hub is adopted', async () => {
  const script = `import { startPostgres } from ${JSON.stringify(new URL('./embedded-postgres.ts', import.meta.url).href)};
    const s = await startPostgres({ stateDir: ${JSON.stringify(stateDir)}, log: () => {}, fast: true }); console.log(s.pid); setInterval(() => {}, 1000);`;
  const hub = spawn(
    process.execPath,
    [...process.execArgv.filter((arg) => !arg.startsWith('--test')), '--input-type=module', '-e', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const pid = await new Promise<number>((resolve) =>
    hub.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString()))),
  );
  const gone = new Promise((resolve) => hub.once('exit', resolve));
  hub.kill('SIGKILL');
  await gone;
  const adopted = await startPostgres({ stateDir, log, fast: true });
  assert.equal(adopted.started, false);
  assert.equal(adopted.pid, pid);
  await adopted.stop('immediate');
});

test('a data directory of another major version is refused with a way out', async () => {
  const file = join(stateDir, 'postgres', 'data', 'PG_VERSION');
  const own = await readFile(file, 'utf8');
  await writeFile(file, '12\n');
  try {
    await assert.rejects(
      startPostgres({ stateDir, log }),
      (error) =>
        error instanceof Problem && /made by PostgreSQL 12/.test(error.message) && /backup/.test(error.info.fix ?? ''),
    );
  } finally {
    await writeFile(file, own);
  }
});

test('a long state directory still gets a socket', async () => {
  const long = join(stateDir, 'x'.repeat(90));
  await mkdir(long);
  const server = await startPostgres({ stateDir: long, log, fast: true });
  try {
    assert.ok(Buffer.byteLength(server.connection.host) < 90);
  } finally {
    await server.stop('immediate');
    await rm(server.connection.host, { recursive: true, force: true });
  }
});

test('no PostgreSQL answers at DATABASE_URL: one sentence with the way out', async () => {
  await assert.rejects(
    openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none' }),
    (error) => error instanceof Problem && /DATABASE_URL/.test(error.info.fix ?? ''),
  );
});
