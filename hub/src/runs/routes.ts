import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { callerOf } from '../audit/record-audit.ts';
import { serve, type ServeDeps } from '../platform/serve.ts';
import { addPictures } from '../pictures/add-pictures.ts';
import type { RunDeps } from './deps.ts';
import { downloadArtifact, linkArtifact } from './download-artifact.ts';
import { listRuns } from './list-runs.ts';
import { logText, readRunLog, readRunSeries } from './read-curves.ts';
import { readRun, requireRun } from './read-run.ts';
import { readRunPicture } from './run-picture.ts';
import { resumeRun } from './resume-run.ts';
import { preflightRun, startRun } from './start-run.ts';
import { stopRun } from './stop-run.ts';
import { streamRun } from './stream-run.ts';
import { toRunShapes } from './run-rows.ts';

export function runRoutes(app: FastifyInstance, deps: ServeDeps & RunDeps): void {
  async function shapeOf(principal: Parameters<typeof requireRun>[1], run: string) {
    const [shape] = await toRunShapes(deps.db.pool, [await requireRun(deps, principal, run)]);
    if (shape === undefined) throw new Error('a run that was just read has a shape');
    return shape;
  }
  serve(app, deps, api.preflightRun, ({ body }, context) => preflightRun(deps, callerOf(context), body));
  serve(app, deps, api.startRun, async ({ body }, context) =>
    shapeOf(context.principal, await startRun(deps, callerOf(context), body, context.idempotencyKey)),
  );
  serve(app, deps, api.listRuns, ({ query }, { principal }) => listRuns(deps, principal, query));
  serve(app, deps, api.getRun, ({ params }, { principal }) => readRun(deps, principal, params.run));
  serve(app, deps, api.stopRun, async ({ params, body }, context) => {
    await stopRun(deps, callerOf(context), params.run, body.what);
    return shapeOf(context.principal, params.run);
  });
  serve(app, deps, api.resumeRun, async ({ params }, context) => {
    await resumeRun(deps, callerOf(context), params.run);
    return shapeOf(context.principal, params.run);
  });
  serve(app, deps, api.readSeries, ({ params, query }, { principal }) =>
    readRunSeries(deps, principal, params.run, query),
  );
  serve(app, deps, api.readLog, ({ params, query }, { principal }) => readRunLog(deps, principal, params.run, query));
  serve(app, deps, api.downloadLog, async ({ params }, { principal }) => ({
    stream: logText(deps, principal, params.run),
    mediaType: 'text/plain; charset=utf-8',
    fileName: `run-${params.run}.log`,
  }));
  serve(app, deps, api.streamRun, async ({ params, query }, { principal, signal, lastEventId }) => {
    await requireRun(deps, principal, params.run);
    return streamRun(
      deps,
      principal,
      { run: params.run, after: lastEventId ?? query.after ?? null, log: query.log ?? false },
      signal,
    );
  });
  serve(app, deps, api.getRunPicture, ({ params, query }, { principal }) =>
    readRunPicture(deps, principal, { ...params, ...query }),
  );
  serve(app, deps, api.uploadPictures, ({ body }, context) => addPictures(deps, callerOf(context), body));
  serve(app, deps, api.downloadArtifact, ({ params, query }, { principal }) =>
    downloadArtifact(deps, principal, { ...params, ...query }),
  );
  serve(app, deps, api.signDownload, ({ params, body }, { principal }) =>
    linkArtifact(deps, principal, { ...params, ...body }),
  );
}
