import { Problem } from '@trainyard/plugin-sdk';
import type { Work } from '../agent/agent.ts';
import type { Download } from '../work/package-store.ts';

/** Inputs of a claimed attempt by digest; the signed addresses came with the claim. */
export function openInput(work: Work, sha256: string): Promise<AsyncIterable<Uint8Array>> {
  const bare = sha256.replace('sha256:', '');
  const input = work.attempt.inputs.find((item) => item.sha256.replace('sha256:', '') === bare);
  if (input === undefined) throw new Problem('not-found', { detail: `The hub gave no address for the input ${bare}.` });
  return work.hub.download(input.url);
}

export function packageDownload(work: Work): Download {
  return () => openInput(work, work.attempt.spec.release.packageDigest);
}

export function snapshotDownload(work: Work): Download {
  return async () => {
    if (work.attempt.snapshotUrl === null) {
      throw new Problem('not-found', { detail: 'The hub gave no address for the dataset.' });
    }
    return work.hub.download(work.attempt.snapshotUrl);
  };
}
