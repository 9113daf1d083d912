import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { plainPackage } from './testing/plain-package.ts';

const CLI = fileURLToPath(new URL('./cli.ts', import.meta.url));

describe('trainyard-validate', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'validate-cli-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function run(...args: readonly string[]): { code: number | null; out: string; err: string } {
    const done = spawnSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: 'utf8', timeout: 90_000 });
    return { code: done.status, out: done.stdout, err: done.stderr };
  }

  test('a packed trainer that passes: exit 0, the report as JSON', async () => {
    await writeFile(join(folder, 'good.tgz'), await plainPackage());
    const { code, out, err } = run('good.tgz', '--json');
    assert.equal(code, 0, err);
    assert.equal(err, '');
    const report: unknown = JSON.parse(out);
    assert.ok(report !== null && typeof report === 'object' && 'verdict' in report && 'level' in report);
    assert.deepEqual([report.verdict, report.level], ['passed', 'L1']);
  });

  test('a folder with a wrong manifest: exit 1, what, where and how to mend it', async () => {
    const broken = join(folder, 'broken');
    await mkdir(broken);
    for (const [name, text] of [
      ['package.json', '{"name":"@acme/broken","version":"1.0.0"}'],
      ['trainer.yaml', 'name: "@acme/broken"\n'],
      ['config.schema.json', '{}'],
      ['presets.json', '[]'],
      ['README.md', '# Broken'],
      ['LICENSE', 'Apache License'],
    ] as const)
      await writeFile(join(broken, name), text);
    const { code, out } = run('broken');
    assert.equal(code, 1);
    assert.match(out, /✖ manifest/);
    assert.match(out, /error manifest-invalid trainer\.yaml/);
    assert.match(out, /→ /);
    assert.match(out, /– contract: Waits for the stage manifest\./);
    assert.match(out, /Not accepted: \d+ errors\./);
  });

  test('a release with an image cannot be proven where images are not looked at: exit 3', async () => {
    const variant = { id: 'cpu', ref: `ghcr.io/acme/plain@sha256:${'a'.repeat(64)}`, platforms: ['linux/amd64'] };
    const manifest = { image: { variants: [variant] } };
    await writeFile(join(folder, 'image.tgz'), await plainPackage([], { manifest }));
    const { code, out } = run('image.tgz');
    assert.match(out, /– image: Images are not looked at yet\./);
    assert.equal(code, 3, out);
  });

  test('called wrongly: exit 2 and the usage, or what is missing', () => {
    assert.equal(run('--nonsense').code, 2);
    assert.match(run('--nonsense').err, /Usage: trainyard-validate/);
    const { code, err } = run('nothing-here');
    assert.equal(code, 2);
    assert.match(err, /There is no .*nothing-here\. Name a folder or a \.tgz\./);
  });
});
