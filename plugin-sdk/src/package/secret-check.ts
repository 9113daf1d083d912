import type { Finding } from '../finding.ts';

/** Key formats of well-known services and private keys; a hit is looked at by a person. */
const SECRETS: readonly (readonly [string, RegExp])[] = [
  ['a private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ['a cloud access key', /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/],
  ['a code host token', /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}|glpat-[A-Za-z0-9_-]{20})\b/],
  ['a model hub token', /\bhf_[A-Za-z]{34}\b/],
  ['a package registry token', /\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})\b/],
  ['a chat token', /\bxox[abprs]-[A-Za-z0-9-]{20,}\b/],
];

/** Looks through the small text files of a package. */
export function checkSecrets(texts: ReadonlyMap<string, string>): Finding[] {
  const findings: Finding[] = [];
  for (const [file, text] of texts) {
    for (const [what, pattern] of SECRETS) {
      const found = pattern.exec(text);
      if (found === null) continue;
      const line = text.slice(0, found.index).split('\n').length;
      const check = file === 'config.schema.json' ? 'secret-default' : 'package-secret';
      findings.push({
        check,
        severity: 'error',
        where: { file, line },
        message: `${file} seems to hold ${what}.`,
        fix: 'Remove it and make the old one invalid where it was issued: it has left your machine.',
      });
    }
  }
  return findings;
}
