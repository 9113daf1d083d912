import type { Finding } from '@trainyard/plugin-sdk';
import { findingOf } from '../checks/check.ts';
import type { ExportTrial } from './export-trials.ts';

/** Findings of one check: faults of the files, and what the checker refuted. */
export function faultsOf(id: string, tried: ExportTrial, fix: string): Finding[] {
  const which = `${tried.claim.format} ${tried.precision}`;
  const files = tried.faults
    .filter(({ check }) => check === id)
    .map(({ file, message, evidence, fix: own }) =>
      findingOf(id, `${tried.task}, ${which}: ${message}`, own, {
        where: { file: `export/${file}` },
        ...(evidence === undefined ? {} : { evidence }),
      }),
    );
  const { check } = tried;
  if (check?.state !== 'refuted' || check.check !== id) return files;
  const worst = [...check.outputs].sort((a, b) => b.maxAbs - a.maxAbs)[0];
  const evidence = worst === undefined ? {} : { evidence: JSON.stringify(worst) };
  return [...files, findingOf(id, `${tried.task}, ${which}: ${check.reason ?? 'it was refuted.'}`, fix, evidence)];
}
