import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testDatabase, type TestDatabase } from '../testing/index.ts';
import { loadMigrations, migrate } from './migrate.ts';
import { isUniqueViolation, query, queryOne } from './sql.ts';
import { inTransaction } from './transaction.ts';

let db: TestDatabase;
before(async () => {
  db = await testDatabase();
  await db.pool.query(
    'create table thing (id int primary key, label text, at timestamptz default now(), size bigint default 5)',
  );
});
after(() => db.close());

test('a transaction commits as one and rolls back as one', async () => {
  await inTransaction(db, async (tx) => {
    await tx.query('insert into thing (id, label) values ($1, $2)', [1, '탐지']);
    assert.equal(
      (await query(db.pool, 'select 1 from thing where id = 1')).length,
      0,
      'not visible outside before the commit',
    );
    assert.deepEqual(await tx.queryOne('select label from thing where id = 1'), { label: '탐지' });
    assert.deepEqual(
      await tx.em.execute('select id from thing'),
      [{ id: 1 }],
      'the entity manager is on the same connection',
    );
  });
  await assert.rejects(
    inTransaction(db, async (tx) => {
      await tx.query('insert into thing (id) values (2)');
      throw new Error('no');
    }),
    /no/,
  );
  const rows = await query<{ id: number; at: Date; size: number }>(db.pool, 'select id, at, size from thing');
  assert.equal(rows.length, 1);
  assert.ok(rows[0]?.at instanceof Date);
  assert.equal(rows[0].size, 5);
});

test('a unique violation is known by its constraint', async () => {
  await db.pool.query('insert into thing (id) values (10)');
  const error: unknown = await inTransaction(db, (tx) => tx.query('insert into thing (id) values (10)')).catch(
    (e: unknown) => e,
  );
  assert.equal(isUniqueViolation(error, 'thing_pkey'), true);
  assert.equal(isUniqueViolation(error, 'other'), false);
  assert.equal(isUniqueViolation(new Error('x')), false);
});

test('a deadlock is tried again and both transactions succeed', async () => {
  await db.pool.query('insert into thing (id, size) values (20, 0), (21, 0)');
  let attempts = 0;
  let arrived = 0;
  const both = Promise.withResolvers<void>();
  async function add(first: number, second: number): Promise<void> {
    await inTransaction(db, async (tx) => {
      attempts += 1;
      await tx.query('update thing set size = size + 1 where id = $1', [first]);
      arrived += 1;
      if (arrived === 2) both.resolve();
      await both.promise;
      await tx.query('update thing set size = size + 1 where id = $1', [second]);
    });
  }
  await Promise.all([add(20, 21), add(21, 20)]);
  assert.ok(attempts > 2);
  assert.deepEqual(await query(db.pool, 'select size from thing where id in (20, 21)'), [{ size: 2 }, { size: 2 }]);
});

test('migrations are applied once, also by two hubs at the same time, and never back', async () => {
  assert.deepEqual(await migrate(db.pool), []);
  const extra = [...(await loadMigrations()), { name: '999-extra', up: 'create table extra (id int)' }];
  const [first, second] = await Promise.all([migrate(db.pool, extra), migrate(db.pool, extra)]);
  assert.deepEqual([...first, ...second], ['999-extra']);
  await assert.rejects(migrate(db.pool), /newer Trainyard \(999-extra\)/);
  const broken = [...extra, { name: '999-z', up: 'create table half (id int); select nonsense' }];
  await assert.rejects(migrate(db.pool, broken), /999-z failed/);
  assert.deepEqual(await queryOne(db.pool, `select to_regclass('half') as half`), { half: null });
});
