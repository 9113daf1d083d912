import type { RunInput } from '@trainyard/plugin-sdk/api';
import type { Principal } from '../../platform/principal.ts';
import type { RunDeps } from '../deps.ts';
import { estimateRun } from '../estimate-run.ts';
import { checkDevice } from './check-device.ts';
import { checkDataset, readSnapshot } from './choose-dataset.ts';
import { chooseExport } from './choose-export.ts';
import { checkImages, chooseImages } from './choose-images.ts';
import { checkModel, chooseModel, choosePreset } from './choose-model.ts';
import { checkRelease, chooseRelease } from './choose-release.ts';
import { chooseWeights } from './choose-weights.ts';
import { Complaints } from './complaints.ts';
import type { Freeze } from './frozen-run.ts';
import { readParent } from './read-parent.ts';
import { resolveSettings } from './resolve-settings.ts';
import { writeFrozenRun } from './write-spec.ts';

/**
 * Resolves a request to exactly what would run: release digest, config and its digest, snapshot, seed, limits. Objects the caller may not see are
 * 404; everything else that stops a start is collected in `preflight.problems`.
 */
export async function freezeRun(deps: RunDeps, principal: Principal, input: RunInput): Promise<Freeze> {
  const complaints = new Complaints();
  const parent = await readParent(deps, principal, input);
  const release = await chooseRelease(deps, principal, input, parent);
  checkRelease(release, parent === null, complaints);
  const task = parent?.task ?? input.task ?? release.tasks[0] ?? 'classify';
  const preset = choosePreset(release, input, complaints);
  const model = parent?.model ?? chooseModel(release, task, preset, input);
  if (parent === null) checkModel(release, task, model, complaints);
  const snapshot = await readSnapshot(deps, principal, input, parent);
  const delivered = checkDataset(release, task, snapshot, input.verb, complaints);
  const settings = await resolveSettings(deps, release, task, preset, input, parent, complaints);
  const device = checkDevice(release, input, complaints);
  const exported = chooseExport(release, task, model, input, complaints);
  const images = await chooseImages(deps, principal, snapshot?.id ?? null, input);
  const weights = await chooseWeights(deps, principal, release, model, input, complaints);
  checkImages(images, input, complaints);

  const ok = complaints.list.length === 0;
  const like = { release: release.id, verb: input.verb, model, epochs: settings.config['epochs'] };
  const preflight = {
    ok,
    problems: complaints.list,
    warnings: complaints.warnings,
    config: settings.config,
    configDigest: settings.digest,
    estimate: ok ? await estimateRun(deps.db.pool, like) : null,
  };
  if (!ok) return { preflight, frozen: null };
  const chosen = { input, parent, release, task, model, snapshot, delivered, settings, device, exported };
  return { preflight, frozen: writeFrozenRun({ ...chosen, images, weights }) };
}
