import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getRelease, type ReleaseDetail } from '@trainyard/plugin-sdk/api';
import type { HubClient } from '@trainyard/plugin-sdk/client';
import { trainyard } from './command.ts';
import type { Person } from './people.ts';
import { waitFor } from './wait-for.ts';

/** A trainer as `trainyard init` makes it; answers its folder. */
export async function initTrainer(person: Person, folder: string, name: string, template = 'node'): Promise<string> {
  const target = join(folder, name);
  const made = await trainyard(person, ['init', target, '--name', name, '--template', template]);
  if (made.code !== 0) throw new Error(`init: ${made.stderr}${made.stdout}`);
  return target;
}

/** Its package as `trainyard pack` makes it; answers the file. */
export async function packTrainer(person: Person, folder: string): Promise<string> {
  const file = `${folder}.tgz`;
  const packed = await trainyard(person, ['pack', folder, '--out', file]);
  if (packed.code !== 0) throw new Error(`pack: ${packed.stderr}${packed.stdout}`);
  return file;
}

/** Replaces text in a file of a trainer; fails when it is not there. */
export async function editFile(folder: string, file: string, from: string, to: string): Promise<void> {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`);
  await writeFile(path, text.replaceAll(from, to));
}

/** What a browser's form sends; answers the reply as it came. */
export async function uploadForm(person: Person, bytes: Uint8Array<ArrayBuffer>): Promise<Response> {
  const form = new FormData();
  form.append('package', new Blob([bytes], { type: 'application/gzip' }), 'trainer.tgz');
  return person.session.request('/api/v1/releases/form', {
    method: 'POST',
    headers: { origin: person.client.url, 'sec-fetch-site': 'same-origin' },
    body: form,
  });
}

const DECIDED = new Set(['published', 'rejected', 'quarantined']);

/** Waits for the verdict on a release. */
export async function verdictOf(client: HubClient, release: string, seconds = 90): Promise<ReleaseDetail> {
  return waitFor(
    `the verdict on release ${release}`,
    async () => {
      const detail = await client.call(getRelease, { params: { release } });
      if (DECIDED.has(detail.state)) return detail;
      throw new Error(`${detail.state} ${detail.waiting?.sentence ?? ''} ${JSON.stringify(detail.stages)}`);
    },
    seconds,
  );
}
