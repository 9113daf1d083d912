import type { Finding, Where } from '../finding.ts';

/** Thrown inside the readers, turned into a finding at their edge. */
export class ArchiveFault extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(`${finding.message} ${finding.fix}`);
    this.name = 'ArchiveFault';
    this.finding = finding;
  }
}

export interface FaultDetail {
  readonly where?: Where;
  readonly evidence?: string;
}

export function archiveFault(check: string, message: string, fix: string, detail: FaultDetail = {}): ArchiveFault {
  return new ArchiveFault({ check, severity: 'error', message, fix, ...detail });
}

export function malformed(message: string, offset?: number): ArchiveFault {
  return archiveFault(
    'archive-malformed',
    message,
    'Pack it again with `trainyard pack` (packages) or a current zip or tar tool (datasets).',
    offset === undefined ? {} : { evidence: `at byte ${offset} of the unpacked archive` },
  );
}

/** Names from archives are shown escaped: they may hold control or direction characters. */
export function shown(name: string): string {
  const escaped = JSON.stringify(name.slice(0, 200));
  return escaped.replace(/[^\x20-\x7e]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}
