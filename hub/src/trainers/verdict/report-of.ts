import type { Outcome, Report } from '@trainyard/plugin-sdk';
import type { JobEvent } from '../../jobs/job-state.ts';

/** An agent may be older or broken: what is no report counts as none. */
function isReport(value: unknown): value is Report {
  return (
    typeof value === 'object' &&
    value !== null &&
    'verdict' in value &&
    'level' in value &&
    'findings' in value &&
    Array.isArray(value.findings) &&
    'stages' in value &&
    Array.isArray(value.stages)
  );
}

export function reasonOf(report: Report): string {
  const errors = report.findings.filter((finding) => finding.severity === 'error');
  const stuck = report.stages.find((stage) => stage.state === 'error');
  if (errors[0] === undefined) return stuck?.reason ?? 'A required check did not run.';
  return errors.length === 1 ? errors[0].message : `${errors[0].message} (and ${errors.length - 1} more)`;
}

/** The report that a job of the validator answered; undefined when it came to none. */
export function reportOf(event: JobEvent, outcome: Outcome | null): Report | undefined {
  return event === 'succeeded' && isReport(outcome?.result) ? outcome.result : undefined;
}
