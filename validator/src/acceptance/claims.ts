import type { ClaimProof, ClaimState, Finding } from '@trainyard/plugin-sdk';
import { exitCodeOf } from '../trial/trials.ts';
import type { AcceptanceTrials } from './acceptance-trials.ts';

/** What the trials of a task say about the claims in `capabilities`: proven, refuted, or only declared with the reason. */
export function claimsOf(trials: AcceptanceTrials, findings: readonly Finding[]): ClaimProof[] {
  const { capabilities } = trials.subject.manifest;
  const task = trials.subject.task.id;
  const claims: ClaimProof[] = [];
  const add = (
    claim: ClaimProof['claim'],
    value: string,
    checks: readonly string[],
    shown: boolean,
    why: string,
  ): void => {
    const against = findings.find((finding) => checks.includes(finding.check));
    const state: ClaimState = against !== undefined ? 'refuted' : shown ? 'proven' : 'declared';
    const reason = against?.message ?? (shown ? undefined : why);
    claims.push({ claim, value, task, state, ...(reason === undefined ? {} : { reason }) });
  };
  if (capabilities.resume !== 'none') {
    const resumed = trials.get('proof-resumed');
    const shown = resumed !== null && exitCodeOf(resumed) === 0;
    add(
      'resume',
      capabilities.resume,
      ['resume-reaches', 'kill-safe'],
      shown,
      'No training was stopped in its middle and resumed to its end.',
    );
  }
  if (capabilities.stop !== 'none') {
    const stopped = trials.get('proof-first');
    const shown = stopped !== null && exitCodeOf(stopped) === 75;
    add('stop', capabilities.stop, ['stop-early'], shown, 'No training was stopped in its middle.');
  }
  if (capabilities.determinism !== 'none') {
    const shown = trials.get('again') !== null;
    add('determinism', capabilities.determinism, ['seeded'], shown, 'No two trainings with one seed were compared.');
  }
  for (const device of capabilities.devices) {
    const shown = device === 'cpu' && trials.proof !== null && exitCodeOf(trials.proof) === 0;
    add('device', device, [], shown, device === 'cuda' ? 'not run: no GPU' : 'No training ran to its end.');
  }
  return claims;
}
