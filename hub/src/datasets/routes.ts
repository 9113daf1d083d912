import { Problem } from '@trainyard/plugin-sdk';
import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { callerOf, type AuditCaller } from '../audit/record-audit.ts';
import { requireUser } from '../platform/access.ts';
import { serve, type CallContext, type ServeDeps } from '../platform/serve.ts';
import { addFolder } from './add-folder.ts';
import { createDataset, type NewDataset } from './create-dataset.ts';
import { deleteDataset } from './delete-dataset.ts';
import type { DatasetDeps } from './deps.ts';
import { ensureView, isFormat, isTask } from './ensure-view.ts';
import { listDatasets, readDataset, readDatasetShape, readImage, readImages, requireSnapshot } from './read-dataset.ts';
import { archiveEntries, withScratchFile, type UploadEntry } from './read-upload.ts';
import { packedSnapshot } from './stream-snapshot.ts';
import { synthSample } from './synth-sample.ts';

interface Stated {
  readonly name: string;
  readonly license?: string | undefined;
  readonly task?: string | undefined;
  readonly format?: string | undefined;
}

function newDataset(context: CallContext, { name, license, task, format }: Stated): NewDataset {
  const user = requireUser(context.principal);
  return {
    name,
    license: license ?? null,
    description: null,
    organizationId: user.organizationId,
    visibility: 'private',
    sample: false,
    createdBy: user.name,
    ...(task !== undefined && isTask(task) ? { task } : {}),
    ...(format !== undefined && isFormat(format) ? { format } : {}),
  };
}

function oneOf(fields: ReadonlyMap<string, string>, name: 'task' | 'format'): string | undefined {
  const value = fields.get(name) ?? '';
  if (value === '') return undefined;
  if (name === 'task' ? isTask(value) : isFormat(value)) return value;
  const message = `${JSON.stringify(value)} is no known ${name}.`;
  throw new Problem('bad-request', { detail: message, errors: [{ pointer: `/${name}`, code: 'enum', message }] });
}

/** Fields first, then one archive or many files whose names are their paths. */
async function fromForm(deps: DatasetDeps, caller: AuditCaller, context: CallContext, body: api.MultipartBody) {
  const fields = new Map<string, string>();
  const iterator = body.parts[Symbol.asyncIterator]();
  for (let part = await iterator.next(); part.done !== true; part = await iterator.next()) {
    const item = part.value;
    if (!('stream' in item)) {
      fields.set(item.fieldName, item.value);
      continue;
    }
    const name = fields.get('name')?.trim() ?? '';
    if (name.length < 2 || name.length > 80)
      throw new Problem('bad-request', {
        detail: 'The dataset needs a name of 2 to 80 characters.',
        fix: 'Send the field `name` before the files.',
        errors: [{ pointer: '/name', code: 'required', message: 'is missing or too short' }],
      });
    const input = newDataset(context, {
      name,
      license: fields.get('license') || undefined,
      task: oneOf(fields, 'task'),
      format: oneOf(fields, 'format'),
    });
    if (item.fieldName === 'archive')
      return withScratchFile(deps.scratch, item.stream, (path) =>
        createDataset(deps, caller, input, archiveEntries(path)),
      );
    return createDataset(
      deps,
      caller,
      input,
      (async function* (): AsyncIterable<UploadEntry> {
        yield { path: item.fileName, stream: item.stream };
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
          if ('stream' in next.value) yield { path: next.value.fileName, stream: next.value.stream };
        }
      })(),
    );
  }
  throw new Problem('bad-request', {
    detail: 'There is no file in the form.',
    fix: 'Choose an archive or a folder of pictures.',
  });
}

const SYNTH = {
  seed: 7,
  train: 240,
  val: 60,
  text: 'Bolts, nuts and washers on a belt, drawn by Trainyard from a seed. Free of any licence.',
} as const;

export function datasetRoutes(app: FastifyInstance, deps: ServeDeps & DatasetDeps): void {
  serve(app, deps, api.listDatasets, ({ query }, { principal }) => listDatasets(deps, principal, query));
  serve(app, deps, api.uploadDataset, async ({ query, body }, context) => {
    const input = newDataset(context, query);
    const made = await withScratchFile(deps.scratch, body, (path) =>
      createDataset(deps, callerOf(context), input, archiveEntries(path)),
    );
    return { dataset: await readDatasetShape(deps, context.principal, made.dataset), warnings: made.warnings };
  });
  serve(app, deps, api.uploadDatasetForm, async ({ body }, context) => {
    const made = await fromForm(deps, callerOf(context), context, body);
    return { dataset: await readDatasetShape(deps, context.principal, made.dataset), warnings: made.warnings };
  });
  serve(app, deps, api.addDatasetFolder, async ({ body }, context) => {
    const made = await addFolder(deps, callerOf(context), newDataset(context, body), body.path);
    return { dataset: await readDatasetShape(deps, context.principal, made.dataset), warnings: made.warnings };
  });
  serve(app, deps, api.synthSampleDataset, async ({ body }, context) => {
    const { task, format, seed = SYNTH.seed, train = SYNTH.train, val = SYNTH.val } = body;
    const name = body.name ?? `Parts on a belt (${task})`;
    const input = { ...newDataset(context, { name, license: 'CC0-1.0' }), description: SYNTH.text };
    const options = { task, seed, train, val, ...(format === undefined ? {} : { format }) };
    const made = await synthSample(deps, callerOf(context), input, options);
    return { dataset: await readDatasetShape(deps, context.principal, made.dataset), warnings: made.warnings };
  });
  serve(app, deps, api.downloadSnapshot, async ({ params, query }, { principal }) => {
    const snapshot = await requireSnapshot(deps, principal, params.snapshot);
    const { task = snapshot.task, format = snapshot.format } = query;
    if (!isTask(task) || !isFormat(format)) throw new Problem('bad-request', { detail: 'This form is not known.' });
    const digest = await ensureView(deps, snapshot.id, { task, format });
    const name = snapshot.name.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-');
    return {
      stream: packedSnapshot(deps, snapshot.id, digest),
      mediaType: 'application/gzip',
      fileName: `${name}-${format.replace('@1', '')}.tar.gz`,
      disposition: 'attachment' as const,
    };
  });
  serve(app, deps, api.getDataset, ({ params }, { principal }) => readDataset(deps, principal, params.dataset));
  serve(app, deps, api.listImages, ({ params, query }, { principal }) =>
    readImages(deps, principal, { ...params, ...query }),
  );
  serve(app, deps, api.getImage, ({ params, query }, { principal }) =>
    readImage(deps, principal, { ...params, ...query }),
  );
  serve(
    app,
    deps,
    api.deleteDataset,
    async ({ params }, context) => void (await deleteDataset(deps, callerOf(context), params.dataset)),
  );
}
