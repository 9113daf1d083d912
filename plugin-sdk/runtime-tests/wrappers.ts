import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import type * as Onnx from 'onnxruntime-node';
import { chromium } from 'playwright-core';
import { decodePng } from '../src/trainer/png.ts';
import { loadPredictor, Predictor, type BundleMetadata, type Prediction } from '../runtime/ts/predict.js';

/** The same jobs in each wrapper. */

export interface Job {
  readonly verb: 'predict' | 'prepare';
  /** Folder with metadata.json and model.onnx. */
  readonly bundle: string;
  /** PNG file. */
  readonly image: string;
}

export interface Answer {
  readonly dims: readonly number[];
  readonly tensor: Float32Array;
  readonly line: Omit<Prediction, 'mask'> & { readonly mask?: readonly number[] };
}

const ort: typeof Onnx = createRequire(import.meta.url)('onnxruntime-node');

export async function inNode(jobs: readonly Job[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const { verb, bundle, image } of jobs) {
    const metadata: BundleMetadata = JSON.parse(readFileSync(join(bundle, 'metadata.json'), 'utf8'));
    const { width, height, pixels } = decodePng(readFileSync(image));
    const picture = { width, height, data: pixels };
    if (verb === 'prepare') {
      answers.push(answerOf(new Predictor(ort, metadata, undefined).preprocess(picture), { width, height }));
      continue;
    }
    const predictor = await loadPredictor(ort, metadata, readFileSync(join(bundle, 'model.onnx')), {
      intraOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    answers.push(answerOf(predictor.preprocess(picture), await predictor.predict(picture)));
    await predictor.release();
  }
  return answers;
}

function answerOf(
  { data, dims }: { readonly data: ArrayLike<number>; readonly dims: readonly number[] },
  { mask, ...line }: Prediction,
): Answer {
  return {
    dims,
    tensor: Float32Array.from(data),
    line: { ...line, ...(mask === undefined ? {} : { mask: [...mask.data] }) },
  };
}

/** A program that reads jobs from stdin and answers each with a line. */
export function inProgram(command: readonly string[], jobs: readonly Job[], scratch: string): Answer[] {
  const [program = '', ...words] = command;
  const outOf = (at: number): string => join(scratch, `${at}.f32`);
  const input = jobs.map(({ verb, bundle, image }, at) => `${[verb, bundle, image, outOf(at)].join('\t')}\n`).join('');
  const { status, stdout, stderr } = spawnSync(program, words, {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr.slice(-2000)}`);
  return stdout
    .trim()
    .split('\n')
    .map((text, at) => {
      const line: Answer['line'] & { readonly dims: readonly number[] } = JSON.parse(text);
      const bytes = readFileSync(outOf(at));
      const tensor = Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
      return { dims: line.dims, tensor, line };
    });
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

const PAGE = `<!doctype html><script type="module">
import * as ort from '/ort/ort.wasm.min.mjs';
import { loadPredictor } from '/wrapper/predict.js';
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = '/ort/';
window.answer = async (bundle, width, height, rgba) => {
  const metadata = await (await fetch(bundle + '/metadata.json')).json();
  const model = new Uint8Array(await (await fetch(bundle + '/model.onnx')).arrayBuffer());
  const predictor = await loadPredictor(ort, metadata, model);
  const picture = { width, height, data: new Uint8ClampedArray(rgba) };
  const { data, dims } = predictor.preprocess(picture);
  const { mask, ...line } = await predictor.predict(picture);
  await predictor.release();
  return { dims, tensor: [...data], line: mask === undefined ? line : { ...line, mask: [...mask.data] } };
};
window.ready = true;
</script>`;

/** In Chromium by onnxruntime-web; pictures come as RGBA, as a canvas gives them. */
export async function inBrowser(chromiumPath: string, jobs: readonly Job[], root: string): Promise<Answer[]> {
  const places = new Map([
    ['/ort/', dirname(createRequire(import.meta.url).resolve('onnxruntime-web'))],
    ['/wrapper/', join(import.meta.dirname, '..', 'runtime', 'ts')],
    ['/bundles/', root],
  ]);
  const server = createServer((request, response) => {
    const url = request.url ?? '/';
    const place = [...places].find(([prefix]) => url.startsWith(prefix));
    if (place === undefined) return void response.setHeader('content-type', 'text/html').end(PAGE);
    try {
      const body = readFileSync(join(place[1], url.slice(place[0].length)));
      response.setHeader('content-type', TYPES[extname(url)] ?? 'application/octet-stream').end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`);
    await page.waitForFunction('window.ready === true', undefined, { timeout: 30_000 });
    const answers: Answer[] = [];
    for (const { bundle, image } of jobs) {
      const { width, height, pixels } = decodePng(readFileSync(image));
      const rgba: number[] = [];
      for (let i = 0; i < width * height; i += 1) rgba.push(...pixels.subarray(i * 3, i * 3 + 3), 255);
      const words = JSON.stringify([`/bundles/${bundle.slice(root.length + 1)}`, width, height, rgba]);
      const got: Omit<Answer, 'tensor'> & { readonly tensor: readonly number[] } = await page.evaluate(
        `window.answer(...${words})`,
      );
      answers.push({ ...got, tensor: Float32Array.from(got.tensor) });
    }
    return answers;
  } finally {
    await browser.close();
    server.close();
  }
}
