import { PROBLEMS, type ProblemCode } from '@trainyard/plugin-sdk';

/** docs/problems.md. A code without advice does not compile, nor advice for a code that is gone. */
const ADVICE: Readonly<Record<ProblemCode, string>> = {
  'bad-request': 'Read `detail` and `errors`: they name the field.',
  'not-authenticated': 'Sign in on the site, or send `Authorization: Bearer …` with a token made under `/keys`.',
  'token-expired': 'Make a new token under `/keys`, then `trainyard login`.',
  forbidden: 'Ask the owner or an administrator, or use a token with the scope that `detail` names.',
  csrf: 'Use the site itself. Behind a proxy: set `PUBLIC_URL` to the address that people type.',
  'not-found': 'Check the name or id; what belongs to somebody else answers the same.',
  conflict: 'Load it again, then repeat the change.',
  'in-use': 'Remove what uses it first; `detail` names it.',
  'illegal-transition': 'Look at its state: the step is not possible from there.',
  'version-exists': 'Raise the version in trainer.yaml and package.json. A published number never changes.',
  'version-retired': 'Take the next number: a number is used once.',
  'attempt-superseded': 'For agents: stop this attempt and throw its work away.',
  'events-gap': 'For agents: send again from `next`.',
  'log-gap': 'For agents: send again from `acked`.',
  'idempotency-mismatch': 'Take a new Idempotency-Key for a new request.',
  'link-expired': 'Ask for a new link: `npm start` prints one, a page makes one when it is loaded again.',
  'too-large': 'Send less; `detail` names the limit.',
  'archive-too-large': 'Leave weights, datasets and built files out of the package.',
  'archive-too-many-entries': 'Leave generated folders out.',
  'unsupported-media': 'Send one of the kinds that `fix` names; the content counts, not the name.',
  'release-invalid': 'Mend what `errors` lists; `trainyard validate` shows the same at home.',
  'config-invalid': 'Mend the settings that `errors` names; unknown settings are refused.',
  'dataset-invalid': 'Mend the files that `errors` names, then upload again.',
  'dataset-mismatch': 'Choose a dataset of the format and task that the trainer takes.',
  'preflight-failed': 'Read `errors`: every reason is listed at once.',
  'release-not-published': 'Wait for its validation, or choose a published release.',
  'release-yanked': 'Choose another release; runs that exist keep working.',
  'digest-mismatch': 'Send the file again: it changed on the way or under your hands.',
  'name-taken': 'Publish under your own organisation: `@your-organisation/name`.',
  'rate-limited': 'Wait as long as `Retry-After` says.',
  'storage-full': 'Free some space; nothing that was stored is lost.',
  unavailable: 'Try again in a few seconds; if it stays, look whether `npm start` still runs.',
  internal: 'Not your fault. Report it with `instance`; the log has the cause under this id.',
};

const HEAD = `# Problems

Every failure of the API is \`application/problem+json\` (RFC 9457): \`code\`, \`title\`, \`detail\` (what happened), \`fix\` (how to mend it) and, where
several things are wrong, \`errors\` with a JSON pointer or \`file:line\` each. Written by \`npm run generate\` from \`plugin-sdk/src/problem.ts\`.

| code | status | title | what to do |
|---|---|---|---|
`;

function rowOf(code: ProblemCode): string {
  const [status, title] = PROBLEMS[code];
  return `| \`${code}\` | ${status} | ${title} | ${ADVICE[code]} |`;
}

export function problemTable(): string {
  const codes = Object.keys(ADVICE).filter((code): code is ProblemCode => Object.hasOwn(PROBLEMS, code));
  const order = Object.keys(PROBLEMS);
  codes.sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return `${HEAD}${codes.map(rowOf).join('\n')}\n`;
}
