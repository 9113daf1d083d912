import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAuthSecret } from './auth-secret.ts';
import { isReservedSlug, ORGANIZATION_SLUG, slugWish, withSuffix } from './organization-slug.ts';
import { hashToken, isTokenText, newTokenText } from './token-text.ts';

test('a slug comes from the name, else the e-mail, and never looks like the installation', () => {
  assert.equal(slugWish('Zoë Müller-Łódź', 'z@example.org'), 'zoe-muller-odz');
  assert.equal(slugWish('김철수', 'kim.cs@example.org'), 'kim-cs');
  assert.equal(slugWish('Admin', 'ops@example.org'), 'ops');
  assert.equal(slugWish('Trainyard Team', 'api@example.org'), 'member');
  assert.equal(slugWish('-', 'a@example.org'), 'member');
  const long = slugWish('x'.repeat(80), 'a@example.org');
  assert.match(withSuffix(long, 9999), ORGANIZATION_SLUG);
  for (const word of ['trainyard', 'trainyard-2', 'admin', 'api', 'registry']) assert.ok(isReservedSlug(word), word);
});

test('a token text carries a checksum over prefix and secret', () => {
  const text = newTokenText('ty_u_');
  assert.equal(isTokenText(text, 'ty_u_'), true);
  assert.equal(isTokenText(text, 'ty_r_'), false);
  assert.equal(isTokenText(text.replace('ty_u_', 'ty_r_'), 'ty_r_'), false);
  const changed = `${text.slice(0, 10)}${text[10] === 'a' ? 'b' : 'a'}${text.slice(11)}`;
  assert.equal(isTokenText(changed, 'ty_u_'), false);
  assert.equal(new Set(Array.from({ length: 100 }, () => newTokenText('ty_u_'))).size, 100);
  assert.notEqual(hashToken(text), hashToken(changed));
});

test('the secret is made once, also by two at the same time, readable by its owner only; a weak one stops the start', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'ty-'));
  try {
    const made = await Promise.all(Array.from({ length: 5 }, () => readAuthSecret(stateDir)));
    assert.equal(new Set(made).size, 1);
    const file = join(stateDir, 'auth-secret');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await readFile(file, 'utf8')).trim(), made[0]);
    await writeFile(file, 'a'.repeat(40));
    await assert.rejects(readAuthSecret(stateDir), /too weak/);
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
});
