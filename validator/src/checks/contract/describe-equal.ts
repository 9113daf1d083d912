import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '@trainyard/plugin-sdk';
import { exitCodeOf, exitText, lastWords, type Trial, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';
import { firstDifference } from './first-difference.ts';

const ID = 'describe-equal';
const FIX =
  'Print one JSON document {manifest, models, configSchema, presets, versions} on stdout, read from the files of the package, and exit with 0; the SDK does it.';
const CONTRACT_SECONDS = 10;

/** `describe` answers in time, with one document, and says what the files of the package say. */
export async function checkDescribe(trials: Trials): Promise<CheckResult> {
  const trial = trials.get('describe');
  if (trial === null) return { notRun: 'describe did not run' };
  if (trial.exit.evidence.timedOut)
    return [findingOf(ID, `describe did not answer within ${trial.maxSeconds} seconds.`, FIX)];
  const { startFailed } = trial.exit.evidence;
  if (startFailed !== undefined) {
    const where = { file: 'trainer.yaml', pointer: '/entrypoint' };
    const fix = 'Name a program that every machine has (node, python), or one in the package: {package}/….';
    return [findingOf(ID, 'The trainer could not be started.', fix, { where, evidence: startFailed })];
  }
  if (exitCodeOf(trial) !== 0) {
    const message = `describe ended with ${exitText(trial.exit)} instead of exit code 0.`;
    return [findingOf(ID, message, FIX, { evidence: lastWords(trial) })];
  }
  const slow =
    trial.seconds > CONTRACT_SECONDS
      ? [
          findingOf(
            ID,
            `describe took longer than ${CONTRACT_SECONDS} seconds on this machine.`,
            'Import no framework and look for no device in describe.',
            { severity: 'warning' },
          ),
        ]
      : [];
  const document = parseDocument(trial);
  if (document === null)
    return [
      ...slow,
      findingOf(ID, 'describe did not print one JSON object.', FIX, { evidence: trial.stdout.slice(0, 500) }),
    ];
  return [...slow, ...(await compare(document, trials))];
}

function parseDocument(trial: Trial): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(trial.stdout);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

async function compare(document: Record<string, unknown>, trials: Trials): Promise<Finding[]> {
  const { manifest, folder } = trials.subject;
  const { image: _image, ...wanted } = manifest;
  const [schema, presets] = await Promise.all(
    ['config.schema.json', 'presets.json'].map(async (file): Promise<unknown> => {
      return JSON.parse(await readFile(join(folder, file), 'utf8'));
    }),
  );
  const said = isRecord(document['manifest']) ? withoutImage(document['manifest']) : document['manifest'];
  const pairs = [
    ['manifest', 'trainer.yaml', said, wanted],
    ['configSchema', 'config.schema.json', document['configSchema'], schema],
    ['presets', 'presets.json', document['presets'], presets],
  ] as const;
  const findings: Finding[] = [];
  for (const [name, file, is, should] of pairs) {
    const difference = firstDifference(is, should);
    if (difference === null) continue;
    const message = `describe says another ${name} than ${file} does.`;
    const evidence = `${difference.pointer || '/'}: describe says ${difference.is}, the file says ${difference.should}`;
    findings.push(findingOf(ID, message, FIX, { where: { file, pointer: difference.pointer }, evidence }));
  }
  return [...findings, ...compareModels(document, trials), ...compareVersion(document, trials)];
}

function compareModels(document: Record<string, unknown>, trials: Trials): Finding[] {
  const { models } = document;
  const listed = Array.isArray(models) ? models.filter(isRecord).map((model) => model['id']) : [];
  const missing = trials.subject.manifest.models.flatMap(({ id }) =>
    id === undefined || listed.includes(id) ? [] : [id],
  );
  if (missing.length === 0) return [];
  const message = `describe does not list the models ${missing.slice(0, 5).join(', ')}.`;
  return [
    findingOf(ID, message, 'List every model of trainer.yaml in "models".', {
      where: { file: 'trainer.yaml', pointer: '/models' },
    }),
  ];
}

function compareVersion(document: Record<string, unknown>, trials: Trials): Finding[] {
  const { name, version } = trials.subject.manifest.framework;
  const versions = isRecord(document['versions']) ? document['versions'] : {};
  const said = Object.entries(versions).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  if (typeof said === 'string' && (said === version || said.startsWith(`${version}+`))) return [];
  const message =
    typeof said === 'string'
      ? `The framework ${name} has version ${said} in the environment, trainer.yaml says ${version}.`
      : `describe does not say which version of ${name} is installed.`;
  const fix = `Pin ${name} to the version of trainer.yaml, and name it in "versions" of describe.`;
  return [findingOf(ID, message, fix, { where: { file: 'trainer.yaml', pointer: '/framework/version' } })];
}

function withoutImage(manifest: Record<string, unknown>): Record<string, unknown> {
  const { image: _image, ...rest } = manifest;
  return rest;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
