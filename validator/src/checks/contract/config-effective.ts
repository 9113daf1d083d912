import type { Finding } from '@trainyard/plugin-sdk';
import { scopedKeys } from '@trainyard/plugin-sdk/config';
import { same } from '../../contract/other-settings.ts';
import { asRecord, readJsonOutput } from '../../trial/output-json.ts';
import { exitCodeOf, exitText, lastWords, wasCutOff, type Trial, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'config-effective';
const FILE = 'output/config.effective.json';
const FIX =
  'Pass the setting on to the framework, and write what the framework then holds; where that differs, say why in "note".';
const MOST = 10;

/** Settings that are not the defaults arrive: validate says what would be used, training says what is used, and both agree or give a reason. */
export async function checkEffectiveConfig(trials: Trials): Promise<CheckResult> {
  const { values, trained } = trials.otherSettings;
  const said = trials.get('settings');
  if (said === null) return { notRun: trials.cutShort ?? 'no run with other settings' };
  const findings = exitCodeOf(said) === 0 ? await judgeSaid(trials, said) : refusedAlone(trials);
  const training = trials.get('train-settings');
  if (findings.length > 0 || Object.keys(trained).length === 0) return findings.slice(0, MOST);
  if (training === null || wasCutOff(training)) return { notRun: trials.cutShort ?? 'no training with other settings' };
  if (exitCodeOf(training) !== 0) {
    const message = `validate accepts these settings, but a training with them ended with ${exitText(training.exit)}.`;
    const evidence = `${JSON.stringify(trained)}\n${lastWords(training, 15)}`;
    return [findingOf(ID, message, 'Refuse them in validate, or train with them.', { evidence })];
  }
  const before = await entriesOf(said);
  const after = await entriesOf(training);
  for (const key of scopedKeys(trials.subject.configSchema, trials.subject.task.id)) {
    const entry = after?.[key];
    if (entry === undefined) {
      findings.push(report(key, `The training's ${FILE} has no entry for "${key}".`));
      continue;
    }
    if (!Object.hasOwn(trained, key)) continue;
    const promised = before?.[key];
    const word = `${JSON.stringify(values[key])} was asked for, ${JSON.stringify(entry.effective)} was used`;
    if (entry.note === null && !same(entry.effective, promised?.effective) && !same(entry.effective, trained[key]))
      findings.push(
        report(key, `The setting "${key}" did not reach the training: ${word}, and no note says why.`, entry),
      );
    else if (entry.source === 'ignored' && promised?.source !== 'ignored')
      findings.push(report(key, `The training says that it ignored "${key}"; validate had not said so.`, entry));
  }
  return findings.slice(0, MOST);
}

async function judgeSaid(trials: Trials, trial: Trial): Promise<Finding[]> {
  const entries = await entriesOf(trial);
  if (entries === null) return [findingOf(ID, `validate left no ${FILE} that can be read.`, FIX)];
  const scope = scopedKeys(trials.subject.configSchema, trials.subject.task.id);
  const findings: Finding[] = [];
  for (const key of scope) {
    const entry = entries[key];
    if (entry === undefined) findings.push(report(key, `${FILE} has no entry for "${key}".`));
    else if (Object.hasOwn(trials.otherSettings.values, key)) {
      const asked = trials.otherSettings.values[key];
      if (!same(entry.requested, asked))
        findings.push(
          report(
            key,
            `"${key}" was set to ${JSON.stringify(asked)}; ${FILE} says that ${JSON.stringify(entry.requested)} was requested.`,
            entry,
          ),
        );
      else if (!same(entry.effective, asked) && entry.note === null)
        findings.push(
          report(
            key,
            `"${key}" was set to ${JSON.stringify(asked)}, validate says ${JSON.stringify(entry.effective)} would be used, and no note says why.`,
            entry,
          ),
        );
    }
  }
  for (const key of Object.keys(entries)) {
    if (!scope.includes(key))
      findings.push(report(key, `${FILE} has an entry for "${key}", which is no setting of this task.`));
  }
  return findings;
}

/** The settings that are refused when they are tried alone; all of them when each one alone is accepted. */
function refusedAlone(trials: Trials): Finding[] {
  const refused = trials.all.filter(
    ({ name, exit }) => /^settings(-[ab])*$/.test(name) && !(exit.kind === 'exited' && exit.code === 0),
  );
  const [deepest] = [...refused].sort((a, b) => b.name.length - a.name.length);
  if (deepest === undefined) return [];
  const message = `validate refused settings that the schema allows: it ended with ${exitText(deepest.exit)}.`;
  const fix = 'Say in config.schema.json what is not allowed, so that people see it in the form.';
  return [findingOf(ID, message, fix, { where: { file: 'config.schema.json' }, evidence: lastWords(deepest, 10) })];
}

function report(key: string, message: string, entry?: Entry): Finding {
  const more = entry === undefined ? {} : { evidence: JSON.stringify(entry) };
  return findingOf(ID, message, FIX, { where: { file: 'config.schema.json', pointer: `/properties/${key}` }, ...more });
}

interface Entry {
  readonly requested: unknown;
  readonly effective: unknown;
  readonly source: unknown;
  readonly note: string | null;
}

async function entriesOf(trial: Trial): Promise<Readonly<Record<string, Entry>> | null> {
  const values = asRecord((await readJsonOutput(trial, FILE))?.['values']);
  if (values === null) return null;
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]): [string, Entry][] => {
      const entry = asRecord(value);
      if (entry === null || !('effective' in entry)) return [];
      const { requested, effective, source, note } = entry;
      return [[key, { requested, effective, source, note: typeof note === 'string' && note !== '' ? note : null }]];
    }),
  );
}
