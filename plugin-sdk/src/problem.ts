import type { Finding } from './finding.ts';

/**
 * Every problem a caller can act on: code → [HTTP status, title]. The code is the last part of the problem type URL.
 * docs/problems.md lists the same codes; a test compares both ways.
 */
export const PROBLEMS = {
  'bad-request': [400, 'The request cannot be read'],
  'not-authenticated': [401, 'Sign in, or send a token'],
  'token-expired': [401, 'This token has expired'],
  forbidden: [403, 'You may not do this'],
  csrf: [403, 'This request came from another site'],
  'not-found': [404, 'There is nothing here'],
  conflict: [409, 'It was changed in the meantime'],
  'in-use': [409, 'It is still used'],
  'illegal-transition': [409, 'Not possible in this state'],
  'version-exists': [409, 'This version number is already used'],
  'version-retired': [409, 'This version number was used before'],
  'attempt-superseded': [409, 'Another attempt has taken over'],
  'events-gap': [409, 'Events are missing before these'],
  'log-gap': [409, 'Log bytes are missing before these'],
  'idempotency-mismatch': [422, 'This key was used with another request'],
  'link-expired': [410, 'This link is used up or expired'],
  'too-large': [413, 'Too large'],
  'archive-too-large': [413, 'The archive is too large'],
  'archive-too-many-entries': [413, 'The archive has too many entries'],
  'unsupported-media': [415, 'This kind of file is not accepted'],
  'release-invalid': [422, 'The package was not accepted'],
  'config-invalid': [422, 'The settings do not fit'],
  'dataset-invalid': [422, 'The dataset cannot be used'],
  'dataset-mismatch': [422, 'The dataset does not fit the task'],
  'preflight-failed': [422, 'This run cannot start'],
  'release-not-published': [409, 'This release is not published'],
  'release-yanked': [409, 'This release was withdrawn'],
  'digest-mismatch': [400, 'The bytes differ from what was announced'],
  'name-taken': [403, 'This name belongs to somebody else'],
  'rate-limited': [429, 'Too many requests'],
  'storage-full': [507, 'The disk is full'],
  unavailable: [503, 'Not available just now'],
  internal: [500, 'Something broke on our side'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemError {
  /** JSON pointer into the request, or a file (with line) for packages and datasets. */
  readonly pointer?: string;
  readonly file?: string;
  readonly line?: number;
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
}

/** RFC 9457 as it travels. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly fix?: string;
  readonly instance?: string;
  readonly errors?: readonly ProblemError[];
  readonly [extra: string]: unknown;
}

export interface ProblemInfo {
  readonly detail?: string;
  /** How to mend it, one sentence. */
  readonly fix?: string;
  readonly errors?: readonly ProblemError[];
  /** Members that callers read by name, such as `next` of `events-gap`. */
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An expected failure. Thrown by use-cases, mapped to `application/problem+json`, rebuilt by the client. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly info: ProblemInfo;

  constructor(code: ProblemCode, info: ProblemInfo = {}) {
    super(info.detail ?? PROBLEMS[code][1], info.cause === undefined ? undefined : { cause: info.cause });
    this.name = 'Problem';
    this.code = code;
    this.status = PROBLEMS[code][0];
    this.info = info;
  }

  toDocument(instance?: string): ProblemDocument {
    return {
      type: `/problems/${this.code}`,
      title: PROBLEMS[this.code][1],
      status: this.status,
      code: this.code,
      ...(this.info.detail === undefined ? {} : { detail: this.info.detail }),
      ...(this.info.fix === undefined ? {} : { fix: this.info.fix }),
      ...(instance === undefined ? {} : { instance }),
      ...(this.info.errors === undefined ? {} : { errors: this.info.errors }),
      ...this.info.extra,
    };
  }
}

export function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && Object.hasOwn(PROBLEMS, code);
}

/** Rebuilds a problem from the wire; unknown codes become `internal` and keep their text. */
export function problemFromDocument(document: ProblemDocument): Problem {
  const { type: _type, title, status: _status, code, detail, fix, instance, errors, ...extra } = document;
  const text = detail ?? title;
  return new Problem(isProblemCode(code) ? code : 'internal', {
    ...(text === undefined ? {} : { detail: text }),
    ...(fix === undefined ? {} : { fix }),
    ...(errors === undefined ? {} : { errors }),
    extra: { ...extra, instance },
  });
}

const LONGEST_EVIDENCE = 200;

/** What was seen belongs to the sentence: "does not compile" alone helps nobody. Long evidence is for the report. */
function withEvidence({ message, evidence }: Finding): string {
  if (evidence === undefined || evidence.length > LONGEST_EVIDENCE || message.includes(evidence)) return message;
  return `${message.replace(/\.$/, '')}: ${evidence.split('\n').join(' ')}`;
}

/** Findings of the shared checks as the `errors` of a problem. */
export function errorsFromFindings(findings: readonly Finding[]): ProblemError[] {
  return findings
    .filter((finding) => finding.severity === 'error')
    .map((finding) => ({
      ...(finding.where?.file === undefined ? {} : { file: finding.where.file }),
      ...(finding.where?.line === undefined ? {} : { line: finding.where.line }),
      ...(finding.where?.pointer === undefined ? {} : { pointer: finding.where.pointer }),
      code: finding.check,
      message: withEvidence(finding),
      fix: finding.fix,
    }));
}
