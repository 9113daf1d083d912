import { Problem } from '@trainyard/plugin-sdk';
import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { callerOf, type AuditCaller } from '../audit/record-audit.ts';
import { requireUser } from '../platform/access.ts';
import { serve, type CallContext, type ServeDeps } from '../platform/serve.ts';
import { createDataset } from './create-dataset.ts';
import { deleteDataset } from './delete-dataset.ts';
import type { DatasetDeps } from './deps.ts';
import { listDatasets, readDataset, readDatasetShape, readImage, readImages } from './read-dataset.ts';
import { archiveEntries, withScratchFile, type UploadEntry } from './read-upload.ts';

function newDataset(context: CallContext, name: string, license: string | null): Parameters<typeof createDataset>[2] {
  const user = requireUser(context.principal);
  return {
    name,
    license,
    description: null,
    organizationId: user.organizationId,
    visibility: 'private',
    sample: false,
    createdBy: user.name,
  };
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
    const input = newDataset(context, name, fields.get('license') || null);
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

export function datasetRoutes(app: FastifyInstance, deps: ServeDeps & DatasetDeps): void {
  serve(app, deps, api.listDatasets, ({ query }, { principal }) => listDatasets(deps, principal, query));
  serve(app, deps, api.uploadDataset, async ({ query, body }, context) => {
    const input = newDataset(context, query.name, query.license ?? null);
    const made = await withScratchFile(deps.scratch, body, (path) =>
      createDataset(deps, callerOf(context), input, archiveEntries(path)),
    );
    return { dataset: await readDatasetShape(deps, context.principal, made.dataset), warnings: made.warnings };
  });
  serve(app, deps, api.uploadDatasetForm, async ({ body }, context) => {
    const made = await fromForm(deps, callerOf(context), context, body);
    return { dataset: await readDatasetShape(deps, context.principal, made.dataset), warnings: made.warnings };
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
