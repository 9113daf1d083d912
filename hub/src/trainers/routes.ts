import * as api from '@trainyard/plugin-sdk/api';
import { Problem } from '@trainyard/plugin-sdk';
import type { FastifyInstance } from 'fastify';
import { callerOf } from '../audit/record-audit.ts';
import { serve, type ServeDeps } from '../platform/serve.ts';
import { listBundled, prepareBundled } from './bundled/bundled-trainers.ts';
import type { TrainerDeps } from './deps.ts';
import { receivePackage } from './intake/receive-package.ts';
import { changeRelease } from './publish/change-release.ts';
import { listMyReleases, readRelease, readReleaseFile, requireRelease, streamRelease } from './read/read-release.ts';
import { proveRelease } from './publish/prove-release.ts';
import { approveRelease } from './verdict/approve-release.ts';

async function packageField(body: api.MultipartBody): Promise<AsyncIterable<Uint8Array>> {
  for await (const part of body.parts) if ('stream' in part) return part.stream;
  throw new Problem('bad-request', {
    detail: 'There is no file in the form.',
    fix: 'Send the packed trainer in the field `package`.',
  });
}

export function trainerRoutes(app: FastifyInstance, deps: ServeDeps & TrainerDeps): void {
  serve(app, deps, api.getRelease, ({ params }, { principal }) => readRelease(deps, principal, params.release));
  serve(app, deps, api.getReleaseFile, ({ params, query }, { principal }) =>
    readReleaseFile(deps, principal, { ...params, ...query }),
  );
  serve(app, deps, api.listMyReleases, ({ query }, { principal }) => listMyReleases(deps, principal, query));
  serve(app, deps, api.uploadRelease, ({ body }, context) => receivePackage(deps, callerOf(context), body));
  serve(app, deps, api.uploadReleaseForm, async ({ body }, context) =>
    receivePackage(deps, callerOf(context), await packageField(body)),
  );
  serve(app, deps, api.streamRelease, async ({ params }, { principal, signal }) => {
    await requireRelease(deps, principal, params.release);
    return streamRelease(deps, principal, params.release, signal);
  });
  serve(app, deps, api.deprecateRelease, ({ params, body }, context) =>
    changeRelease(deps, callerOf(context), { ...params, event: 'deprecated', reason: body.reason }),
  );
  serve(app, deps, api.undoDeprecation, ({ params }, context) =>
    changeRelease(deps, callerOf(context), { ...params, event: 'undeprecated', reason: null }),
  );
  serve(app, deps, api.yankRelease, ({ params, body }, context) =>
    changeRelease(deps, callerOf(context), { ...params, event: 'yanked', reason: body.reason }),
  );
  serve(app, deps, api.approveRelease, ({ params, body }, context) =>
    approveRelease(deps, callerOf(context), { ...params, ...body }),
  );
  serve(app, deps, api.proveRelease, ({ params }, context) => proveRelease(deps, callerOf(context), params.release));
  serve(app, deps, api.listBundled, async () => ({ items: await listBundled(deps) }));
  serve(app, deps, api.prepareBundled, ({ params }, context) => prepareBundled(deps, callerOf(context), params.name));
}
