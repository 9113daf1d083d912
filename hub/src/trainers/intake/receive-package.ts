import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { errorsFromFindings, Problem, type Finding } from '@trainyard/plugin-sdk';
import { readPackage } from '@trainyard/plugin-sdk/package';
import { MAX_PACKAGE_BYTES } from '@trainyard/plugin-sdk/api';
import type { AuditCaller } from '../../audit/record-audit.ts';
import { recordUnused } from '../../blobs/record-blob.ts';
import { inTransaction } from '../../platform/transaction.ts';
import type { TrainerDeps } from '../deps.ts';
import type { ReceivedPackage } from './received-package.ts';
import { submitRelease, type Submitted } from './submit-release.ts';

/** Findings that have a status of their own; everything else that is wrong with a package is `release-invalid`. */
function refuse(findings: readonly Finding[]): Problem {
  const errors = findings.filter((finding) => finding.severity === 'error');
  const first = errors[0];
  const own = (['unsupported-media', 'archive-too-large', 'archive-too-many-entries', 'digest-mismatch'] as const).find(
    (code) => code === first?.check,
  );
  return new Problem(own ?? 'release-invalid', {
    detail:
      first === undefined
        ? 'The package was not accepted.'
        : errors.length === 1
          ? first.message
          : `${first.message} (and ${errors.length - 1} more)`,
    fix: first?.fix ?? 'Run `trainyard validate` at home.',
    errors: errorsFromFindings(findings),
  });
}

/**
 * The one intake: upload API, upload page and npm publish end here. One pass over the bytes stores, hashes and indexes them; nothing is extracted. A
 * package with an error leaves nothing behind.
 */
export async function storePackage(
  deps: Pick<TrainerDeps, 'blobs' | 'schemas'>,
  bytes: AsyncIterable<Uint8Array>,
  expected: { name?: string; version?: string } = {},
): Promise<ReceivedPackage> {
  const copy = new PassThrough({ highWaterMark: 1024 * 1024 });
  // Rejections are looked at where the bytes end; until then they must not count as unhandled.
  const reading = readPackage(copy, { schemas: deps.schemas, expected });
  let ended = false;
  void reading.then(
    () => (ended = true),
    () => (ended = true),
  );
  async function* passing(): AsyncIterable<Uint8Array> {
    try {
      for await (const chunk of bytes) {
        if (!ended && !copy.destroyed && !copy.write(chunk))
          await Promise.race([once(copy, 'drain'), once(copy, 'close'), reading.catch(() => undefined)]);
        yield chunk;
      }
    } catch (error) {
      copy.destroy(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    copy.end();
    const read = await reading;
    if (read.content === null || read.findings.some((finding) => finding.severity === 'error'))
      throw refuse(read.findings);
  }
  const stored = await deps.blobs.put('packages', passing(), { maxBytes: MAX_PACKAGE_BYTES });
  const read = await reading;
  if (read.content === null) throw refuse(read.findings);
  return {
    content: read.content,
    sha256: stored.sha256,
    sha512: read.sha512,
    packedBytes: stored.bytes,
    warnings: read.findings,
  };
}

export async function receivePackage(
  deps: TrainerDeps,
  caller: AuditCaller,
  bytes: AsyncIterable<Uint8Array>,
  expected: { name?: string; version?: string } = {},
): Promise<Submitted> {
  const received = await storePackage(deps, bytes, expected);
  try {
    return await submitRelease(deps, caller, received);
  } catch (error) {
    // Refused after the bytes were stored (name or version taken): known to the collector, unless somebody uses them.
    await inTransaction(deps.db, (tx) => recordUnused(tx, 'packages', [{ ...received, bytes: received.packedBytes }]));
    throw error;
  }
}
