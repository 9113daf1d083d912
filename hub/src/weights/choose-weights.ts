import type { WeightsChoice } from '@trainyard/plugin-sdk/api';
import type { WeightsRef } from '@trainyard/plugin-sdk';
import type { Queryable } from '../platform/sql.ts';
import type { Audience, ManifestView } from '../trainers/find-release.ts';
import { selectWeights, type WeightsRow } from './weights-rows.ts';

function bare(digest: string): string {
  return digest.replace(/^sha256:/, '');
}

/** What a model may start from: what the manifest declares, and files of the caller's organisation. Random weights need no entry. */
export async function weightsChoices(
  on: Queryable,
  manifest: ManifestView,
  audience: Audience,
  model: string | null,
): Promise<WeightsChoice[]> {
  const files = await selectWeights(on, audience, null);
  const ofDigest = new Map<string, WeightsRow>();
  for (const file of files) if (!ofDigest.has(file.sha256)) ofDigest.set(file.sha256, file);
  const declared = manifest.models
    .filter((entry) => model === null || entry.id === model)
    .flatMap((entry) =>
      (entry.weights ?? []).map((weights): WeightsChoice => {
        const file = weights.sha256 === undefined ? undefined : ofDigest.get(bare(weights.sha256));
        return {
          id: weights.id,
          title: weights.title ?? weights.id,
          model: entry.id ?? null,
          sha256: weights.sha256 === undefined ? null : bare(weights.sha256),
          bytes: weights.bytes ?? file?.bytes ?? null,
          license: weights.license ?? null,
          url: weights.url ?? null,
          // Bundled ones lie in the trainer's image; the same file on the hub serves runners without images.
          state: file?.state ?? (weights.source === 'bundled' ? 'bundled' : 'absent'),
          received: file?.received ?? 0,
          note: file?.note ?? null,
        };
      }),
    );
  const known = new Set(declared.map((choice) => choice.sha256));
  const own = files
    .filter((file) => !known.has(file.sha256))
    .map((file): WeightsChoice => ({
      id: file.sha256,
      title: file.name,
      model: null,
      sha256: file.sha256,
      bytes: file.bytes,
      license: file.license,
      url: file.source === 'upload' ? null : file.source,
      state: file.state,
      received: file.received,
      note: file.note,
    }));
  return [...declared, ...own];
}

export type ChosenWeights =
  | { readonly ok: true; readonly weights: WeightsRef | null }
  | { readonly ok: false; readonly message: string; readonly fix: string };

/** The file behind the id that a person chose for a model. */
export async function resolveWeights(
  on: Queryable,
  manifest: ManifestView,
  audience: Audience,
  model: string,
  asked: string,
): Promise<ChosenWeights> {
  const choices = await weightsChoices(on, manifest, audience, model);
  const wanted = choices.find((choice) => choice.id === asked || choice.sha256 === bare(asked));
  if (wanted === undefined) {
    const names = choices.map((choice) => choice.title).join(', ');
    return {
      ok: false,
      message: `${model} has no weights ${asked}.`,
      fix: names === '' ? 'Upload the file first, or start from random weights.' : `There are: ${names}.`,
    };
  }
  const [file] = wanted.sha256 === null ? [] : await selectWeights(on, audience, wanted.sha256);
  if (file === undefined || file.state !== 'ready' || file.bytes === null) {
    const how = wanted.url === null ? 'Upload the file' : 'Fetch it with one click, or upload the file';
    const message =
      wanted.state === 'bundled'
        ? `The weights ${wanted.title} lie in an image, and this runner uses none.`
        : `The weights ${wanted.title} are not here yet.`;
    return { ok: false, message, fix: `${how}; its digest must be ${wanted.sha256?.slice(0, 12) ?? 'known'}….` };
  }
  const id = wanted.id === wanted.sha256 ? `file-${wanted.sha256.slice(0, 12)}` : wanted.id;
  return { ok: true, weights: { id, name: file.name, bytes: file.bytes, sha256: file.sha256 } };
}
