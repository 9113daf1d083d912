import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { editFile, initTrainer } from './packages.ts';
import type { Person } from './people.ts';

// 'good', 'garbage', 'flood', 'contradict', 'silent-exit' or 'never-ends'; free text in the schema, so that the checks try none of them.

const BEHAVIOUR = `import { appendFileSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const job = process.argv[process.argv.indexOf('--job') + 1] ?? '';
const events = join(job, 'output', 'events.jsonl');

export async function behave(mood: unknown): Promise<void> {
  if (mood === 'garbage') {
    writeSync(1, Buffer.from([0, 255, 254, 10, 27, 91, 50, 74, 10]));
    appendFileSync(events, '{"v":1,"seq":\\n\\u0000\\u0000not json at all\\n{"type":"metric","seq":-4}\\n' + 'x'.repeat(100_000) + '\\n');
  }
  if (mood === 'flood') for (let i = 0; i < 600; i += 1) writeSync(1, ('flood '.repeat(20_000)) + '\\n');
  if (mood === 'contradict') {
    const seq = readFileSync(events, 'utf8').trimEnd().split('\\n').length + 1;
    const fields = { v: 1, seq, ts: new Date().toISOString(), type: 'failed' };
    appendFileSync(events, JSON.stringify({ ...fields, code: 'internal.exception', message: 'It broke.' }) + '\\n');
    process.exit(0);
  }
  if (mood === 'silent-exit') process.exit(0);
  if (mood === 'never-ends') for (;;);
}
`;

/** A trainer that keeps the contract, unless its config says otherwise: validated once, it misbehaves in runs. */
export async function moodyTrainer(person: Person, folder: string): Promise<string> {
  const target = await initTrainer(person, folder, 'moody');
  await writeFile(join(target, 'src', 'behave.ts'), BEHAVIOUR);
  await editFile(
    target,
    'src/main.ts',
    "  const examples = await run.phase('prepare'",
    "  await behave(run.config['mood']);\n  const examples = await run.phase('prepare'",
  );
  await editFile(target, 'src/main.ts', "'image_size', 'seed']", "'image_size', 'seed', 'mood']");
  await editFile(
    target,
    'src/main.ts',
    "from './model.ts';",
    "from './model.ts';\nimport { behave } from './behave.ts';",
  );
  await editFile(target, 'trainer.yaml', 'grace: 15', 'grace: 10');
  await editFile(
    target,
    'config.schema.json',
    '"properties": {',
    `"properties": { "mood": { "type": "string", "maxLength": 20, "default": "good", "title": "Mood", "x-ui": { "group": "basic", "order": 9 } },`,
  );
  return target;
}

/** A trainer that says it failed and then ends with 0, whenever it trains. */
export async function contradictingTrainer(person: Person, folder: string): Promise<string> {
  const target = await initTrainer(person, folder, 'contradicting');
  await writeFile(join(target, 'src', 'behave.ts'), BEHAVIOUR);
  await editFile(
    target,
    'src/main.ts',
    "  const examples = await run.phase('prepare'",
    "  await behave('contradict');\n  const examples = await run.phase('prepare'",
  );
  await editFile(
    target,
    'src/main.ts',
    "from './model.ts';",
    "from './model.ts';\nimport { behave } from './behave.ts';",
  );
  return target;
}
