import type { RunDetail } from '@trainyard/plugin-sdk/api';
import { FINAL_STATES } from '#lib/live/run-feed.svelte.ts';
import { problemFromText } from '#lib/problem.ts';

const LOOK_EVERY = 700;

/** The export did not come about; `run` says more. */
export class ExportFailed extends Error {
  readonly run: string | null;
  constructor(message: string, run: string | null) {
    super(message);
    this.run = run;
  }
}

async function call<T>(url: string, fallback: string, body?: object): Promise<T> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const reply = await fetch(
    url,
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
  );
  const text = await reply.text();
  if (!reply.ok) {
    const { title, detail } = problemFromText(text, reply.status, fallback);
    throw new ExportFailed(detail ?? title, null);
  }
  return JSON.parse(text);
}

interface Wanted {
  readonly checkpoint: string;
  /** A run that may be making it already. */
  readonly underWay: string | null;
  /** What to say where the hub says nothing. */
  readonly fallback: string;
}

/** Exports a checkpoint as ONNX, or waits for the export under way; answers the artifact. Throws `ExportFailed`. */
export async function exportForBrowser(wanted: Wanted, tell: (sentence: string) => void): Promise<string> {
  const { checkpoint, underWay, fallback } = wanted;
  const started = { verb: 'export', checkpoint, format: 'onnx' };
  const id = underWay ?? (await call<{ id: string }>('/api/v1/runs', fallback, started)).id;
  for (;;) {
    const { run, exports } = await call<RunDetail>(`/api/v1/runs/${id}`, fallback);
    if (FINAL_STATES.includes(run.state)) {
      const made = exports.find((item) => item.format === 'onnx');
      if (run.state === 'succeeded' && made !== undefined) return made.id;
      // That one was another format, or did not succeed: one of our own is tried once.
      if (underWay !== null) return exportForBrowser({ ...wanted, underWay: null }, tell);
      throw new ExportFailed(run.sentence, id);
    }
    tell(run.sentence);
    await new Promise((done) => setTimeout(done, LOOK_EVERY));
  }
}
