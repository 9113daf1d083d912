import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { NpyArray } from '@trainyard/plugin-sdk/export';
import { checkParity, Refuted, Undecided, type OnnxRuntime } from './onnx-parity.ts';

/** Started by onnx-check.ts: `node onnx-child.ts <export folder> [tolerance]`. Answers one line of JSON on descriptor 3. */

async function loadRuntime(): Promise<OnnxRuntime | null> {
  const ort = await import('onnxruntime-node').catch(() => null);
  if (ort === null) return null;
  const options = {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  } as const;
  return {
    version: `onnxruntime-node ${installedVersion()}`,
    async open(model) {
      const session = await (typeof model === 'string'
        ? ort.InferenceSession.create(model, options)
        : ort.InferenceSession.create(model, options));
      return {
        inputs: session.inputNames,
        outputs: session.outputNames,
        async run(name, dtype, tensor) {
          const results = await session.run({ [name]: tensorOf(dtype, tensor) });
          const found = new Map<string, NpyArray>();
          for (const [output, value] of Object.entries(results)) {
            const { data } = value;
            if (typeof data === 'string' || (Array.isArray(data) && typeof data[0] === 'string')) continue;
            found.set(output, { shape: value.dims, data: Float32Array.from(data, Number) });
          }
          return found;
        },
      };
    },
  };

  function tensorOf(dtype: string, { shape, data }: NpyArray) {
    if (ort === null) throw new Error('unreachable');
    if (dtype === 'float32') return new ort.Tensor('float32', data, shape);
    if (dtype === 'float64') return new ort.Tensor('float64', Float64Array.from(data), shape);
    if (dtype === 'uint8') return new ort.Tensor('uint8', Uint8Array.from(data), shape);
    if (dtype === 'int32') return new ort.Tensor('int32', Int32Array.from(data), shape);
    if (dtype === 'int64')
      return new ort.Tensor(
        'int64',
        BigInt64Array.from(data, (value) => BigInt(Math.trunc(value))),
        shape,
      );
    throw new Undecided(`The input has the type ${dtype}, which cannot be fed here.`);
  }
}

function installedVersion(): string {
  const text = readFileSync(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? '';
}

async function main(): Promise<Record<string, unknown>> {
  const [, , folder = '', tolerance] = process.argv;
  const runtime = await loadRuntime();
  if (runtime === null) return { state: 'declared', reason: 'onnxruntime-node is not installed on this machine.' };
  const { version } = runtime;
  try {
    return await checkParity(folder, tolerance === undefined ? undefined : Number(tolerance), runtime);
  } catch (error) {
    if (error instanceof Undecided) return { state: 'declared', runtime: version, reason: error.message };
    if (error instanceof Refuted)
      return { state: 'refuted', check: error.check, runtime: version, reason: error.message };
    const reason = `The model cannot be run: ${String(error).split('\n')[0]}`;
    return { state: 'refuted', check: 'export-loads', runtime: version, reason };
  }
}

// JSON knows no infinity: null stands for it.
const answer = Buffer.from(`${JSON.stringify(await main())}\n`);
for (let sent = 0; sent < answer.length;) sent += writeSync(3, answer, sent);
process.exit(0);
