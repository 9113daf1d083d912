import { STAGES } from '@trainyard/plugin-sdk';
import type { Check } from './check.ts';
import { CHECKS } from './index.ts';

const HEAD = `# Checks

What a package must pass before its release is published. \`trainyard validate\` runs the same checks at home. This page is printed from the table in
\`validator/src/checks/index.ts\`.

An **error** of a check that decides makes the verdict what its column says. **must run**: where it could not look, nothing is passed. Every finding says
where it is and how to mend it.
`;

function flagsOf({ act, required, severity }: Check): string {
  if (act === 'none') return severity;
  return required ? `${act}, must run` : act;
}

/** docs/checks.md. Pure. */
export function checksDocument(): string {
  const sections = STAGES.flatMap((stage) => {
    const own = CHECKS.filter((check) => check.stage === stage);
    if (own.length === 0) return [];
    const rows = own.map((check) => `| \`${check.id}\` | ${check.looks} | ${flagsOf(check)} | ${check.fix} |`);
    return [`## ${stage}`, '', '| check | looks at | error means | mend |', '|---|---|---|---|', ...rows, ''];
  });
  return `${HEAD}\n${sections.join('\n')}`;
}
