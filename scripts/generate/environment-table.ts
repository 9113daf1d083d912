import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VARIABLES } from '@trainyard/hub';

/** docs/environment.md: the hub's own table, and what the other programs read. A name that their code reads and no row has stops the generator. */

interface Row {
  readonly name: string;
  readonly fallback: string;
  readonly doc: string;
}
interface Group {
  readonly title: string;
  readonly intro: string;
  /** Files that read these variables; every TRAINYARD_ name in them needs a row. */
  readonly readBy: readonly string[];
  readonly rows: readonly Row[];
}

function row(name: string, fallback: string, doc: string): Row {
  return { name, fallback, doc };
}

const AGENTS: Group = {
  title: 'Runner and validator',
  intro: 'Set by the supervisor; by hand only for an agent on another machine.',
  readBy: ['runner/src/config.ts', 'runner/src/main.ts', 'runner/src/backends/process/try-wall.ts'],
  rows: [
    row('TRAINYARD_HUB_URL', 'required', 'Address of the hub.'),
    row('TRAINYARD_AGENT_TOKEN_FILE', '–', 'File with the key of this agent.'),
    row('TRAINYARD_AGENT_TOKEN', '–', 'The key itself, when there is no file.'),
    row('TRAINYARD_HOME', 'required', 'Folder for packages, datasets, environments and runs under way.'),
    row('TRAINYARD_SLOTS', 'cores − 1, 1 to 4', 'Jobs at a time.'),
    row('TRAINYARD_AGENT_NAME', 'made once', 'Name of this agent.'),
    row('TRAINYARD_LEASE_SCALE', '1', 'Factor on all lease times; the same as at the hub.'),
    row('TRAINYARD_SILENCE_SECONDS', '300', 'A trainer that says nothing for so long is ended.'),
    row(
      'TRAINYARD_WALL',
      'auto',
      'auto = trainers run behind bubblewrap where it is installed and its trial at start is green. none = never: foreign trainers then need an approval.',
    ),
    row('TRAINYARD_LOG_LEVEL', 'info', 'Level of the log.'),
  ],
};
const CLI: Group = {
  title: 'Command line',
  intro: 'Both win over what `trainyard login` kept.',
  readBy: ['plugin-sdk/src/cli/session.ts'],
  rows: [
    row('TRAINYARD_URL', 'http://localhost:3000', 'Address of the hub.'),
    row('TRAINYARD_TOKEN', '–', 'Access token made under `/keys`.'),
  ],
};

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ name, fallback, doc }) => `| \`${name}\` | ${fallback} | ${doc} |`);
  return `| variable | default | meaning |\n|---|---|---|\n${lines.join('\n')}\n`;
}

function undocumented(root: string, { readBy, rows }: Group): string[] {
  const known = new Set(rows.map(({ name }) => name));
  return readBy.flatMap((file) => {
    const names = readFileSync(join(root, file), 'utf8').match(/\bTRAINYARD_[A-Z_]+\b/g) ?? [];
    return [...new Set(names)].filter((name) => !known.has(name)).map((name) => `${name} (${file})`);
  });
}

/** `root` is the repository: the code of the other programs is read, not run. */
export function environmentTable(root: string): string {
  const groups = [AGENTS, CLI];
  const missing = groups.flatMap((group) => undocumented(root, group));
  if (missing.length > 0) {
    throw new Error(`No row for ${missing.join(', ')}: add it in scripts/generate/environment-table.ts.`);
  }
  const hub = Object.entries(VARIABLES).map(([name, variable]) =>
    row(name, variable.default === '' ? '–' : `\`${String(variable.default)}\``, variable.doc),
  );
  const parts = groups.map(({ title, intro, rows }) => `## ${title}\n\n${intro}\n\n${tableOf(rows)}`);
  return `# Environment

Written by \`npm run generate\` from the code. A value that cannot be used stops the start with one sentence.

## npm start and the hub

${tableOf(hub)}
${parts.join('\n')}`;
}
