import type { RunInput } from '@trainyard/plugin-sdk/api';
import { nearest } from '@trainyard/plugin-sdk/config';
import type { ReleaseRow } from '../../trainers/find-release.ts';
import type { Complaints } from './complaints.ts';

/** Pure: how a run of this release is set up, before its config. */

export type PresetEntry = ReleaseRow['presets'][number];

export function choosePreset(release: ReleaseRow, input: RunInput, complaints: Complaints): PresetEntry | null {
  if (input.preset === undefined) return null;
  const preset = release.presets.find((entry) => entry['id'] === input.preset);
  if (preset !== undefined) return preset;
  complaints.add('config-invalid', `There is no preset ${input.preset}.`, 'Choose one of the listed presets.', {
    pointer: '/preset',
  });
  return null;
}

/** What is named, else what the preset suggests, else the first of this task. */
export function chooseModel(release: ReleaseRow, task: string, preset: PresetEntry | null, input: RunInput): string {
  if (input.model !== undefined) return input.model;
  const suggested = preset?.['model'];
  if (typeof suggested === 'string') return suggested;
  return release.manifest.models.find((entry) => entry.id !== undefined && entry.tasks.includes(task))?.id ?? '';
}

export function checkModel(release: ReleaseRow, task: string, model: string, complaints: Complaints): void {
  if (!release.tasks.includes(task)) {
    complaints.add('unsupported.task', `This trainer does not do ${task}.`, `It does: ${release.tasks.join(', ')}.`, {
      pointer: '/task',
    });
    return;
  }
  const known = release.manifest.models.filter((entry) => entry.tasks.includes(task));
  const fits = known.some(
    (entry) => entry.id === model || (entry.pattern !== undefined && /^[a-z0-9][a-z0-9._-]{0,63}$/.test(model)),
  );
  if (!fits) {
    const close = nearest(
      model,
      known.flatMap((entry) => (entry.id === undefined ? [] : [entry.id])),
    );
    complaints.add(
      'unsupported.model',
      `This trainer has no model ${model} for ${task}.`,
      close === null ? 'Choose one of its models.' : `Did you mean ${close}?`,
      { pointer: '/model' },
    );
  }
}
