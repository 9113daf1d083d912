import type { Severity } from '@trainyard/plugin-sdk';
import type { AcceptanceTrials } from '../acceptance/acceptance-trials.ts';
import type { ExportTrial } from '../export/export-trials.ts';
import { checkLearning } from './acceptance/learns.ts';
import { checkHonesty } from './acceptance/metric-honest.ts';
import { checkReproduction } from './acceptance/evaluate-reproduces.ts';
import { checkBehaviour } from './acceptance/config-behaves.ts';
import { checkEarlyStop } from './acceptance/stop-early.ts';
import { checkResumedEnd } from './acceptance/resume-reaches.ts';
import { checkKill } from './acceptance/kill-safe.ts';
import { checkSeed } from './acceptance/seeded.ts';
import { checkFiles } from './export/export-files.ts';
import { checkMetadata } from './export/export-metadata.ts';
import { checkClean } from './export/export-clean.ts';
import { checkDataOnly } from './export/export-data-only.ts';
import { checkLoads } from './export/export-loads.ts';
import { checkParity } from './export/export-parity.ts';
import { checkSelftest } from './export/export-selftest.ts';
import { checkInputSize } from './export/export-input-size.ts';
import { checkAccuracy } from './export/export-accuracy.ts';
import { checkPredictExport } from './export/predict-export.ts';
import { checkRecorded } from './export/export-recorded.ts';
import type { Check, CheckResult } from './check.ts';

/** Acceptance and exports are measured after publishing, so their absence decides nothing under the policy local. */
function later<Trials>(
  stage: 'acceptance' | 'export',
  id: string,
  run: (trials: Trials) => CheckResult | Promise<CheckResult>,
  looks: string,
  fix: string,
  severity: Severity = 'error',
) {
  const file = `validator/src/checks/${stage}/${id}.ts`;
  const act = severity === 'error' ? 'rejected' : 'none';
  const check: Check = { id, stage, severity, act, enforced: act !== 'none', required: false, file, looks, fix };
  return { check, run };
}

function acceptance(
  id: string,
  run: (trials: AcceptanceTrials) => CheckResult | Promise<CheckResult>,
  looks: string,
  fix: string,
  severity?: Severity,
) {
  return later('acceptance', id, run, looks, fix, severity);
}

export const ACCEPTANCE_CHECKS = [
  acceptance(
    'learns',
    checkLearning,
    'the probe model reaches the floor in its time, by our own metric',
    'A preset proof-<task> with which it does.',
    'warning',
  ),
  acceptance(
    'metric-honest',
    checkHonesty,
    'reported and recomputed metric agree within 0.02',
    'Compute it from the predictions that are written.',
  ),
  acceptance(
    'evaluate-reproduces',
    checkReproduction,
    'evaluate of the best checkpoint says what the training said',
    'Same preprocessing, same checkpoint.',
  ),
  acceptance(
    'config-behaves',
    checkBehaviour,
    'epochs, batch, learning rate and seed do what they say',
    'Pass them on.',
  ),
  acceptance(
    'stop-early',
    checkEarlyStop,
    'SIGTERM during prepare ends it within 5 seconds',
    'Safe points in prepare too.',
  ),
  acceptance(
    'resume-reaches',
    checkResumedEnd,
    'stopped and resumed it ends at the same step',
    'Restore everything, count on.',
  ),
  acceptance(
    'kill-safe',
    checkKill,
    'SIGKILL at any moment, also inside a checkpoint, loses nothing',
    'Write aside, rename, index last.',
  ),
  acceptance(
    'seeded',
    checkSeed,
    'two trainings with one seed are as equal as declared',
    'Seed every source of chance.',
    'warning',
  ),
];

function exporting(
  id: string,
  run: (tried: ExportTrial) => CheckResult | Promise<CheckResult>,
  looks: string,
  fix: string,
  severity?: Severity,
) {
  return later('export', id, run, looks, fix, severity);
}

export const EXPORT_CHECKS = [
  exporting(
    'export-files',
    checkFiles,
    'files and digests of every export, labels in class order',
    'Let the SDK write the bundle.',
  ),
  exporting(
    'export-metadata',
    checkMetadata,
    'metadata.json says what the model file says',
    'Read it back from the file.',
  ),
  exporting(
    'export-clean',
    checkClean,
    'no host, user or dataset path in any file',
    'Rewrite the metadata of the format.',
  ),
  exporting('export-data-only', checkDataOnly, 'no pickle inside, external data named', 'Export weights as data.'),
  exporting('export-loads', checkLoads, 'another runtime opens it', 'Open it before it is shipped.'),
  exporting(
    'export-parity',
    checkParity,
    'it answers as the checkpoint does, classes in order',
    'Compare on 16 pictures.',
  ),
  exporting(
    'export-selftest',
    checkSelftest,
    'wrappers equal the SDK and reproduce the self-test',
    'Copy runtime/ as it is.',
  ),
  exporting(
    'export-input-size',
    checkInputSize,
    'the exported input has the size of the training',
    'Export with that size.',
  ),
  exporting(
    'export-accuracy',
    checkAccuracy,
    'its metric, by the checker, is that of the checkpoint',
    'Right steps in metadata.json.',
  ),
  exporting('predict-export', checkPredictExport, 'predict answers the same with it', 'Accept every claimed format.'),
  exporting('export-recorded', checkRecorded, 'time and size are recorded', 'Prepare the checkers.', 'recommendation'),
];
