import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Readable } from 'node:stream';
import {
  approveRelease,
  getRelease,
  listBundled,
  prepareBundled,
  streamRelease,
  uploadRelease,
  type ReleaseDetail,
} from '../../api/index.ts';
import { SchemaWorkerPool } from '../../config/schema-worker.ts';
import { errorsFromFindings, Problem } from '../../problem.ts';
import { packTrainer, readPackage } from '../../package/index.ts';
import { followLive } from '../../client/sse.ts';
import type { HubClient } from '../../client/hub-client.ts';
import type { Output } from '../output.ts';

const SDK_ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Writes a trainer that validates as it is, with its own copy of the SDK. Refuses a folder that is not empty. */
export async function initTrainer(
  folder: string,
  options: { template: string; name: string | undefined; owner: string },
  output: Output,
): Promise<void> {
  const target = resolve(folder);
  const template = join(SDK_ROOT, 'templates', options.template);
  if (
    !(await stat(template).then(
      () => true,
      () => false,
    ))
  )
    throw new Problem('bad-request', {
      detail: `There is no template ${options.template}.`,
      fix: 'Use --template python or --template node.',
    });
  await mkdir(target, { recursive: true });
  if ((await readdir(target)).length > 0)
    throw new Problem('conflict', { detail: `${folder} is not empty.`, fix: 'Name a new folder.' });
  const scoped = /^@?([a-z0-9][a-z0-9-]{1,38})\/(.+)$/.exec(options.name ?? '');
  const owner = scoped?.[1] ?? options.owner;
  const short =
    (scoped?.[2] ?? options.name ?? basename(target))
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[^a-z0-9]+/, '') || 'my-trainer';
  const name = `@${owner}/${short}`;
  await cp(template, target, { recursive: true, dereference: true });
  const words: Readonly<Record<string, string>> = {
    '{{name}}': name,
    '{{owner}}': owner,
    '{{title}}': `${short[0]?.toUpperCase() ?? ''}${short.slice(1).replaceAll(/[-_.]/g, ' ')}${short.endsWith('trainer') ? '' : ' trainer'}`,
  };
  for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    let text = await readFile(path, 'utf8');
    for (const [word, value] of Object.entries(words)) text = text.replaceAll(word, value);
    await writeFile(path, text);
  }
  const sdk = options.template === 'node' ? join(SDK_ROOT, 'src', 'trainer') : join(SDK_ROOT, 'python', 'trainer_sdk');
  await cp(sdk, join(target, 'src', 'trainer_sdk'), {
    recursive: true,
    // The wrappers of exports are a link here; the new trainer stands alone.
    dereference: true,
    filter: (path) => !path.endsWith('.test.ts') && !path.includes('__pycache__'),
  });
  output.line(`Made ${name} in ${folder}.`);
  output.line('Next: trainyard dev (try it), trainyard validate, trainyard publish.');
  output.result({ name, folder: target });
}

async function packageBytes(path: string): Promise<Buffer> {
  const info = await stat(path).catch(() => {
    throw new Problem('bad-request', {
      detail: `There is no ${path}.`,
      fix: 'Name the folder of a trainer or a packed .tgz.',
    });
  });
  return info.isDirectory() ? packTrainer(path) : readFile(path);
}

/** Packs a folder after the same checks the hub makes; nothing is written when one fails. */
export async function packFolder(folder: string, out: string | undefined, output: Output): Promise<void> {
  const bytes = await packageBytes(folder);
  const schemas = new SchemaWorkerPool();
  const reading = await readPackage(Readable.from([bytes]), { schemas });
  await schemas.close();
  if (reading.content === null || reading.findings.some((finding) => finding.severity === 'error')) {
    throw new Problem('release-invalid', {
      detail: 'The package was not accepted.',
      errors: errorsFromFindings(reading.findings),
    });
  }
  const { name, version } = reading.content.manifest;
  const file = out ?? `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
  await writeFile(file, bytes);
  output.line(`${file}  ${bytes.length} bytes  ${reading.sha256}`);
  output.result({ file, bytes: bytes.length, digest: `${reading.sha256}`, name, version });
}

function printFindings(release: Pick<ReleaseDetail, 'findings'>, output: Output): void {
  for (const finding of release.findings) {
    const where = [finding.where?.file, finding.where?.line].filter((part) => part !== undefined).join(':');
    output.line(`  ${finding.severity.padEnd(14)} ${finding.check}  ${where} ${finding.message}`);
    output.line(`                 → ${finding.fix}`);
  }
}

/** Submits and follows the validation to its end. */
export async function publishFolder(
  client: HubClient,
  path: string,
  options: { wait: boolean },
  output: Output,
): Promise<number> {
  const bytes = await packageBytes(path);
  const { release } = await client.call(uploadRelease, { body: Readable.from([bytes]) });
  const page = `${client.url}/releases/${release.id}/report`;
  output.line(`Submitted @${release.owner}/${release.name}@${release.version}. Its report: ${page}`);
  if (!options.wait) {
    output.result({ release: release.id, state: release.state, url: page });
    return 0;
  }
  const signal = new AbortController().signal;
  let said = '';
  let state = release.state;
  const live = followLive(
    (id) =>
      client.call(streamRelease, { params: { release: release.id } }, id === undefined ? {} : { lastEventId: id }),
    {
      signal,
      done: (message) => message.state !== 'submitted' && message.state !== 'validating',
    },
  );
  for await (const { data } of live) {
    state = data.state;
    const now = data.stages.find((stage) => stage.state === 'running')?.stage;
    const text = now === undefined ? (data.waiting?.sentence ?? `It is ${data.state}.`) : `Checking: ${now}`;
    if (text !== said) output.line(text);
    said = text;
  }
  const detail = await client.call(getRelease, { params: { release: release.id } });
  printFindings(detail, output);
  const listing = `${client.url}/trainers/${release.owner}/${release.name}`;
  output.line(
    state === 'published' ? `Published: ${listing}` : `Not published: it is ${state}. ${detail.reason ?? ''}`,
  );
  output.result({
    release: release.id,
    name: `@${release.owner}/${release.name}`,
    version: release.version,
    state,
    level: detail.level,
    findings: detail.findings,
    url: state === 'published' ? listing : page,
  });
  return state === 'published' ? 0 : 1;
}

/** An administrator lets this digest run without a wall. */
export async function approve(client: HubClient, release: string, output: Output): Promise<void> {
  const detail = await client.call(getRelease, { params: { release } });
  await client.call(approveRelease, { params: { release }, body: { digest: detail.packageDigest } });
  output.line(`Approved ${detail.packageDigest} (@${detail.owner}/${detail.name}@${detail.version}).`);
  output.result({ release, digest: detail.packageDigest });
}

/** Builds the environment of a bundled trainer with progress, then follows it until it is submitted. */
export async function prepare(client: HubClient, name: string, output: Output): Promise<number> {
  let state = await client.call(prepareBundled, { params: { name } });
  let said = '';
  while (state.state === 'preparing' || state.state === 'needs-environment') {
    const percent = state.progress === null ? '' : ` ${Math.round(state.progress * 100)} %`;
    const text = `${state.sentence}${percent}`;
    if (output.live) output.redraw([text]);
    else if (text !== said) output.line(text);
    said = text;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const list = await client.call(listBundled, {});
    state = list.items.find((item) => item.name === name) ?? state;
  }
  output.line(state.state === 'submitted' ? `${state.title} is prepared and submitted.` : state.sentence);
  output.result(state);
  return state.state === 'submitted' ? 0 : 1;
}
