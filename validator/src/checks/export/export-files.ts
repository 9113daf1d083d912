import { faultsOf } from '../../export/export-faults.ts';
import type { ExportTrial } from '../../export/export-trials.ts';
import { exitText, lastWords } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'export-files';
const FIX = 'Let the SDK write the bundle; write nothing into output/export after it.';

/** The claimed export can be made. Every file of an export is there, with its digest; labels are the classes of dataset.json. */
export function checkFiles(tried: ExportTrial): CheckResult {
  const { trial, claim, precision, task } = tried;
  if (trial === null) return { notRun: tried.impossible ?? 'nothing was exported' };
  if (trial.exit.kind === 'exited' && trial.exit.code === 0) return faultsOf(ID, tried, FIX);
  const message = `${task}: the export as ${claim.format} in ${precision}, which is claimed, ended with ${exitText(trial.exit)}.`;
  const where = { file: 'trainer.yaml', pointer: '/exports' };
  return [
    findingOf(ID, message, 'Mend it, or take the claim out of trainer.yaml.', {
      where,
      evidence: lastWords(trial, 15),
    }),
  ];
}
