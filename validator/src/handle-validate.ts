import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { newId, type Outcome, type ProveJobSpec, type ValidateJobSpec } from '@trainyard/plugin-sdk';
import { PACKAGE_LIMITS } from '@trainyard/plugin-sdk/archive';
import type { SchemaWorkerPool } from '@trainyard/plugin-sdk/config';
import { EnvironmentFailed, outcomeOfPreparing, packageDownload, type EnvironmentStore } from '@trainyard/runner';
import type { Handler, Work } from '@trainyard/runner/agent';
import type { Backend } from '@trainyard/runner/backends';
import { readyCheckers } from '@trainyard/runner/verify';
import type { PackageStore } from '@trainyard/runner/work';
import { validatePackage, type PreparedPackage, type ValidationProgress } from './validate.ts';

export interface ValidateDeps {
  readonly backend: Backend;
  readonly installation: string;
  readonly packages: PackageStore;
  readonly environments: EnvironmentStore;
  readonly schemas: SchemaWorkerPool;
  readonly home: string;
  /** Folder of all environments, where the checkers of exports are too. */
  readonly environmentsRoot: string;
}

const MOST_FINDINGS = 500;

/**
 * Downloads a package, validates it and answers the report. A validation begun before a restart is begun anew: it leaves nothing that could be
 * taken up. A fault of our own is a failed attempt, never a report.
 */
export function validateHandler(deps: ValidateDeps): Handler {
  return async (work) => {
    const { spec } = work.attempt;
    if (spec.kind !== 'validate' && spec.kind !== 'prove')
      return refused(`This agent validates; it does not ${spec.kind}.`);
    const stopping = new AbortController();
    const unheard = work.stop.listen(() => stopping.abort('stop'));
    const signal = AbortSignal.any([work.signal, stopping.signal]);
    const scratch = join(deps.home, 'validations', `download-${newId()}`);
    try {
      await work.hub.begin(`validation of ${spec.release.packageDigest}`);
      await mkdir(scratch, { recursive: true });
      const tgz = join(scratch, 'package.tgz');
      await download(work, tgz, signal);
      const report = await validatePackage({
        tgz,
        ...deps,
        policy: spec.policy,
        through: spec.kind === 'prove' ? 'L3' : 'L1',
        ...(spec.kind === 'prove' ? { checkers: await readyCheckers(deps.environmentsRoot) } : {}),
        expected: expectedOf(spec),
        environment: (prepared) => buildEnvironment(deps, work, prepared, signal),
        onProgress: (progress) => say(work, progress),
        signal,
      });
      return { state: 'succeeded', result: report };
    } catch (error) {
      if (work.signal.aborted) throw error;
      if (stopping.signal.aborted) return { state: 'stopped', cause: 'cancelled' };
      return failureOf(work, error);
    } finally {
      unheard();
      await rm(scratch, { recursive: true, force: true });
    }
  };
}

function expectedOf({ release }: ValidateJobSpec | ProveJobSpec): { name: string; version: string; digest: string } {
  return { name: release.name, version: release.version, digest: release.packageDigest };
}

async function download(work: Work, file: string, signal: AbortSignal): Promise<void> {
  say(work, { sentence: 'Loading the package' });
  let bytes = 0;
  await pipeline(
    await packageDownload(work)(signal),
    async function* (source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source) {
        bytes += chunk.length;
        // One byte more than allowed reaches the checks, which say so.
        if (bytes > PACKAGE_LIMITS.packedBytes + chunk.length) return;
        yield chunk;
      }
    },
    createWriteStream(file),
    { signal },
  );
}

async function buildEnvironment(deps: ValidateDeps, work: Work, prepared: PreparedPackage, signal: AbortSignal) {
  const { digest, folder, content } = prepared;
  try {
    return await deps.environments.ensure(
      { digest, folder, manifest: content.manifest },
      ({ sentence, progress }) => {
        const known = progress === undefined ? {} : { progress };
        void work.hub.phase({ phase: 'preparing', sentence, ...known }).catch(() => undefined);
      },
      signal,
    );
  } catch (error) {
    if (!(error instanceof EnvironmentFailed)) throw error;
    throw new Error(`${error.message} ${error.hint}`, { cause: error });
  }
}

/** The last one wins; a lost one is replaced by the next. */
function say(work: Work, progress: Pick<ValidationProgress, 'sentence'> & Partial<ValidationProgress>): void {
  const { sentence, stages, findings } = progress;
  void work.hub
    .phase({
      phase: 'running',
      sentence,
      ...(stages === undefined ? {} : { stages }),
      ...(findings === undefined ? {} : { findings: findings.slice(0, MOST_FINDINGS) }),
    })
    .catch(() => undefined);
}

function failureOf(work: Work, error: unknown): Outcome {
  const known = outcomeOfPreparing(error);
  if (known !== null) return known;
  work.log.error(
    { attempt: work.attempt.id, error: error instanceof Error ? error.stack : String(error) },
    'a validation broke',
  );
  return {
    state: 'failed',
    code: 'platform.lost',
    message: `The validator itself failed: ${error instanceof Error ? error.message : String(error)}`.slice(0, 4096),
    hint: 'Nothing was found out about the package. The log of the validator says more.',
  };
}

function refused(message: string): Outcome {
  return { state: 'failed', code: 'platform.refused', message };
}
