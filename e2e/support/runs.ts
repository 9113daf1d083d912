import { getRun, getTrainer, listDatasets, readSeries, startRun, type RunDetail } from '@trainyard/plugin-sdk/api';
import type { HubClient } from '@trainyard/plugin-sdk/client';
import { waitFor } from './wait-for.ts';

const ENDED = new Set(['succeeded', 'failed', 'cancelled', 'paused']);

/** "split name" → step → value, without what depends on the clock. */
export type Curves = Record<string, [step: number, value: number | null][]>;

export async function referencePublished(client: HubClient): Promise<void> {
  await waitFor(
    'the published reference trainer',
    async () => {
      const { release } = await client.call(getTrainer, { params: { owner: 'trainyard', name: 'reference' } });
      return release.state === 'published';
    },
    60,
  );
}

export async function digits(client: HubClient): Promise<string> {
  return waitFor('the sample dataset', async () => {
    const { items } = await client.call(listDatasets, { query: {} });
    return items.find((item) => item.sample)?.id;
  });
}

/** A training of the reference trainer that takes about `epochs` × 2 s, whatever the machine. */
export async function startPacedRun(client: HubClient, name: string, epochs: number): Promise<string> {
  const run = await client.call(startRun, {
    body: {
      verb: 'train',
      name,
      trainer: 'trainyard/reference',
      model: 'mlp-small',
      dataset: await digits(client),
      // Losses are reported 333 ms apart or more, so none is thinned out on its way and two runs can be compared point by point.
      config: { epochs, batch: 128, steps_per_second: 6, seed: 7 },
    },
  });
  return run.id;
}

export async function readRun(client: HubClient, run: string): Promise<RunDetail> {
  return client.call(getRun, { params: { run } });
}

/** Waits for the end of a run, whatever it is. */
export async function endOf(client: HubClient, run: string, seconds = 60): Promise<RunDetail> {
  return waitFor(
    `the end of run ${run}`,
    async () => {
      const detail = await readRun(client, run);
      if (ENDED.has(detail.run.state)) return detail;
      throw new Error(`${detail.run.state}: ${detail.run.sentence} ${detail.run.waiting?.sentence ?? ''}`);
    },
    seconds,
  );
}

/** Waits until it has validated so many epochs. */
export async function epochsDone(client: HubClient, run: string, epochs: number): Promise<void> {
  await waitFor(
    `epoch ${epochs} of run ${run}`,
    async () => {
      const { run: shape } = await readRun(client, run);
      if (ENDED.has(shape.state)) throw new Error(`the run is ${shape.state} already`);
      const count = (await curvesOf(client, run))['val top1']?.length ?? 0;
      if (count >= epochs) return true;
      throw new Error(`${count} epochs; ${shape.sentence} ${shape.waiting?.sentence ?? ''}`);
    },
    60,
  );
}

/**
 * Every point that the hub has. Fails when a step comes twice or falls. `count` also holds points that a later attempt repeated: it is equal to what is
 * read when one attempt did all of it and nothing arrived twice (`once`).
 */
export async function curvesOf(client: HubClient, run: string, once = false): Promise<Curves> {
  const { series } = await client.call(readSeries, { params: { run }, query: { width: 4000 } });
  const curves: Curves = {};
  for (const { split, name, points, count } of series) {
    if (once && count !== points.length)
      throw new Error(`${split} ${name}: ${count} points counted, ${points.length} read`);
    points.forEach(([step], index) => {
      const before = points[index - 1]?.[0] ?? -1;
      if (step <= before) throw new Error(`${split} ${name}: step ${step} comes after ${before}`);
    });
    if (name !== 'images_per_second') curves[`${split} ${name}`] = points.map(([step, value]) => [step, value]);
  }
  return curves;
}
