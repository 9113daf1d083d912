import { Problem, type Outcome } from '@trainyard/plugin-sdk';
import { Refused } from '../backends/backend.ts';
import { CutDownload } from '../work/cut-download.ts';
import { BadDataset } from '../work/dataset-store.ts';
import { BadInput } from '../work/job-folder.ts';
import { BadPackage } from '../work/package-store.ts';
import { EnvironmentFailed } from './environment-store.ts';

/** What went wrong before the trainer ran, as an outcome; null for what is our own fault or an abort. */
export function outcomeOfPreparing(error: unknown): Outcome | null {
  if (error instanceof EnvironmentFailed) {
    return failed('platform.environment', error.message, { hint: error.hint, detail: error.detail.slice(-16_384) });
  }
  if (error instanceof Refused) return failed(error.code, error.message, { hint: error.hint });
  if (error instanceof BadPackage) {
    return failed('platform.refused', error.message, { hint: 'Submit the release again: its package cannot be used.' });
  }
  if (error instanceof BadDataset || error instanceof BadInput) {
    return failed('input.digest_mismatch', error.message, {
      hint: 'Start the run again. If it comes back, make the dataset anew.',
    });
  }
  if (error instanceof Problem && (error.code === 'link-expired' || error.code === 'not-found')) {
    return failed('io.read', error.message, { hint: 'The next attempt gets new addresses.' });
  }
  if (error instanceof CutDownload)
    return failed('io.read', error.message, { hint: 'The next attempt loads it again.' });
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return failed('io.disk_full', 'The disk of the runner is full.', { hint: 'Free some space on that machine.' });
  }
  return null;
}

function failed(code: string, message: string, more: Partial<Outcome>): Outcome {
  return { state: 'failed', code, message: message.slice(0, 4096), ...more };
}
