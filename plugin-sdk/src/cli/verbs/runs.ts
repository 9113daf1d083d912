import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  downloadArtifact,
  getRun,
  listDatasets,
  readLog,
  resumeRun,
  startRun,
  stopRun,
  uploadDataset,
  type DatasetShape,
  type RunShape,
} from '../../api/index.ts';
import { newId } from '../../ids.ts';
import { Problem } from '../../problem.ts';
import type { HubClient } from '../../client/hub-client.ts';
import { ENDED, followRun } from '../follow-run.ts';
import type { Output } from '../output.ts';

/** A dataset by id or name, or an archive on this machine, which is uploaded. */
export async function findDataset(client: HubClient, text: string, output: Output): Promise<DatasetShape> {
  const file = await stat(text).catch(() => null);
  if (file?.isFile() === true) {
    output.line(`Uploading ${basename(text)} (${file.size} bytes).`);
    const name = basename(text)
      .replace(/\.(zip|tgz|tar\.gz)$/, '')
      .slice(0, 80);
    const made = await client.call(uploadDataset, {
      query: { name: name.length < 2 ? `${name} data` : name },
      body: createReadStream(text),
    });
    for (const warning of made.warnings) output.line(`  ${warning.message}`);
    return made.dataset;
  }
  const { items } = await client.call(listDatasets, { query: { limit: 100 } });
  const found =
    items.find((item) => item.id === text) ?? items.find((item) => item.name.toLowerCase() === text.toLowerCase());
  if (found === undefined)
    throw new Problem('not-found', {
      detail: `There is no dataset ${JSON.stringify(text)}.`,
      fix:
        items.length === 0
          ? 'Upload one: name a .zip of class folders.'
          : `There are: ${items
              .slice(0, 8)
              .map((item) => item.name)
              .join(', ')}.`,
    });
  return found;
}

/** `key=value` pairs; values are JSON where they read as JSON, text otherwise. */
export function parseSettings(pairs: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new Problem('bad-request', {
          detail: `${JSON.stringify(pair)} is not key=value.`,
          fix: 'Write --set epochs=10.',
        });
      const text = pair.slice(at + 1);
      try {
        return [pair.slice(0, at), JSON.parse(text) as unknown];
      } catch {
        return [pair.slice(0, at), text];
      }
    }),
  );
}

function finish(run: RunShape, client: HubClient, output: Output): number {
  output.line(run.sentence);
  if (run.failure?.hint != null) output.line(`→ ${run.failure.hint}`);
  output.line(`${client.url}/runs/${run.id}`);
  output.result({
    run: run.id,
    state: run.state,
    primary: run.primary,
    failure: run.failure,
    url: `${client.url}/runs/${run.id}`,
  });
  return run.state === 'succeeded' || run.state === 'paused' ? 0 : 1;
}

export interface TrainWish {
  readonly trainer: string;
  readonly version?: string;
  readonly dataset: string;
  readonly model?: string;
  readonly preset?: string;
  readonly name?: string;
  readonly settings: readonly string[];
  readonly wait: boolean;
}

export async function train(client: HubClient, wish: TrainWish, output: Output): Promise<number> {
  const dataset = await findDataset(client, wish.dataset, output);
  const run = await client.call(
    startRun,
    {
      body: {
        verb: 'train',
        trainer: wish.trainer,
        dataset: dataset.id,
        config: parseSettings(wish.settings),
        ...(wish.version === undefined ? {} : { version: wish.version }),
        ...(wish.model === undefined ? {} : { model: wish.model }),
        ...(wish.preset === undefined ? {} : { preset: wish.preset }),
        ...(wish.name === undefined ? {} : { name: wish.name }),
      },
    },
    { idempotencyKey: newId() },
  );
  output.line(`Started ${run.name}: ${client.url}/runs/${run.id}`);
  if (!wish.wait) {
    output.result({ run: run.id, state: run.state, url: `${client.url}/runs/${run.id}` });
    return 0;
  }
  return finish((await followRun(client, run.id, output)).run, client, output);
}

export async function watch(client: HubClient, run: string, output: Output): Promise<number> {
  return finish((await followRun(client, run, output)).run, client, output);
}

export async function changeRun(
  client: HubClient,
  run: string,
  what: 'cancel' | 'pause' | 'resume',
  output: Output,
): Promise<void> {
  const shape =
    what === 'resume'
      ? await client.call(resumeRun, { params: { run } })
      : await client.call(stopRun, { params: { run }, body: { what } });
  output.line(shape.sentence);
  output.result({ run, state: shape.state });
}

/** Log text from the beginning; with `follow` until the run has ended. */
export async function logs(client: HubClient, run: string, follow: boolean, output: Output): Promise<void> {
  let after = 0;
  for (;;) {
    const state = (await client.call(getRun, { params: { run } })).run.state;
    const page = await client.call(readLog, { params: { run }, query: { after } });
    for (const chunk of page.chunks) {
      if (output.json) output.result(chunk);
      else process.stdout.write(chunk.text);
    }
    after = page.next;
    if (page.more) continue;
    if (!follow || ENDED.has(state)) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Exports the best checkpoint of a run (or the one named), waits for the parity check and downloads the bundle. */
export async function exportRun(
  client: HubClient,
  run: string,
  options: { format: string; checkpoint?: string; out?: string },
  output: Output,
): Promise<number> {
  const detail = await client.call(getRun, { params: { run } });
  const chosen =
    options.checkpoint === undefined
      ? (detail.checkpoints.findLast((item) => item.kinds.includes('best')) ?? detail.checkpoints.at(-1))
      : detail.checkpoints.find((item) => item.id === options.checkpoint || item.name === options.checkpoint);
  if (chosen === undefined)
    throw new Problem('not-found', {
      detail: 'This run has no such checkpoint.',
      fix: 'Look at its checkpoints on the page of the run.',
    });
  const started = await client.call(
    startRun,
    { body: { verb: 'export', checkpoint: chosen.id, format: options.format } },
    { idempotencyKey: newId() },
  );
  const { run: ended } = await followRun(client, started.id, output);
  if (ended.state !== 'succeeded') return finish(ended, client, output);
  const made = (await client.call(getRun, { params: { run: started.id } })).exports.at(-1);
  if (made === undefined) throw new Problem('internal', { detail: 'The export finished without files.' });
  const reply = await client.call(downloadArtifact, { params: { artifact: made.id }, query: {} });
  const file = options.out ?? reply.fileName ?? `${options.format}.zip`;
  await pipeline(Readable.from(reply.stream as AsyncIterable<Uint8Array>), createWriteStream(file));
  const parity = made.parity;
  const seen =
    parity === null || parity.state === 'declared'
      ? `not compared${parity === null || parity.reason === null ? '' : ` (${parity.reason.replace(/\.$/, '')})`}`
      : parity.state === 'proven'
        ? `equal to the checkpoint (largest difference ${parity.maxAbs})`
        : 'differs from the checkpoint';
  output.line(`${file}: ${made.format}, ${seen}.`);
  output.result({ run: started.id, file, format: made.format, parity, url: `${client.url}/runs/${run}` });
  return parity?.state === 'refuted' ? 77 : 0;
}
