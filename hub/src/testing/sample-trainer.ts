import { iterateTarGz, PACKAGE_LIMITS, writeTarGz } from '@trainyard/plugin-sdk/archive';
import { packTrainer } from '@trainyard/plugin-sdk/package';
import { Readable } from 'node:stream';
import { createDataset } from '../datasets/create-dataset.ts';
import { archiveEntries } from '../datasets/read-upload.ts';
import { receivePackage } from '../trainers/intake/receive-package.ts';
import { publishReleases } from '../trainers/publish/publish-releases.ts';
import { DIGITS_ZIP, REFERENCE_FOLDER, type Caller, type TestHub } from './test-hub.ts';

const SYSTEM = { principal: { kind: 'system' } } as const;
let packed: Promise<Buffer> | null = null;

/** The reference trainer under another name and version. */
export async function packageOf(
  owner: string,
  version: string,
  change: (text: string) => string = (text) => text,
): Promise<Buffer> {
  const files: { path: string; bytes: Uint8Array }[] = [];
  const source = (async function* () {
    yield await referencePackage();
  })();
  for await (const entry of iterateTarGz(source, PACKAGE_LIMITS)) {
    const parts: Uint8Array[] = [];
    for await (const part of entry.stream) parts.push(part);
    const path = entry.path.replace(/^package\//, '');
    let bytes: Uint8Array = Buffer.concat(parts);
    if (path === 'trainer.yaml' || path === 'package.json') {
      const text = Buffer.from(bytes).toString().replace('@trainyard/reference', `@${owner}/reference`);
      bytes = Buffer.from(change(text).replace(/("?version"?: )["']1\.0\.0["'](?! })/, `$1"${version}"`));
    }
    files.push({ path, bytes });
  }
  return writeTarGz(files, 'package/');
}

/** The real package, packed once per test file. */
export function referencePackage(): Promise<Buffer> {
  return (packed ??= packTrainer(REFERENCE_FOLDER));
}

/** Takes one job of a kind as the agent and answers the claim. */
export async function claimOne(hub: TestHub, kind: string, agent = 'runner-1') {
  const as: Caller = await hub.agentKey(agent);
  const answer = await hub.call('POST', '/api/v1/jobs/claim', {
    as,
    json: { agent, kinds: [kind], offers: [], slots: 1, waitSeconds: 0, ready: [] },
  });
  if (answer.statusCode !== 200) throw new Error(answer.body);
  const [attempt] = answer.json<{
    attempts: { id: string; job: string; fence: number; number: number; resume: unknown }[];
  }>().attempts;
  if (attempt === undefined) throw new Error(`no ${kind} job waits`);
  return attempt;
}

/** A passed report as the outcome of the waiting validation. */
export async function passValidation(hub: TestHub): Promise<void> {
  await reportOn(hub, 'validate', { verdict: 'passed', level: 'L1', stages: [], findings: [] });
}

/** Takes the waiting job of that kind and answers a report. */
export async function reportOn(hub: TestHub, kind: 'validate' | 'prove', result: unknown): Promise<void> {
  const attempt = await claimOne(hub, kind);
  const done = await hub.call('POST', `/api/v1/attempts/${attempt.id}/finish`, {
    as: hub.agent,
    json: { fence: attempt.fence, outcome: { state: 'succeeded', result } },
  });
  if (done.statusCode !== 204) throw new Error(done.body);
}

/** The reference trainer, published through intake, verdict and registry; answers the id of the release. */
export async function publishReference(hub: TestHub): Promise<string> {
  const { release } = await receivePackage(hub.deps, SYSTEM, Readable.from([await referencePackage()]));
  await passValidation(hub);
  await publishReleases(hub.deps, async () => undefined);
  return release.id;
}

/** The digits as a dataset of that organisation; answers its id. */
export async function addDigits(
  hub: TestHub,
  organizationId: string,
  visibility: 'private' | 'public' = 'public',
): Promise<string> {
  const made = await createDataset(
    hub.deps,
    SYSTEM,
    { name: 'Digits', license: null, description: null, organizationId, visibility, sample: false, createdBy: 'test' },
    archiveEntries(DIGITS_ZIP),
  );
  return made.dataset;
}
