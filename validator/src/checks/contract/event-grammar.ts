import { TERMINAL_EVENTS, WARNING_CODES, type Finding, type TrainerEvent } from '@trainyard/plugin-sdk';
import type { EventLine } from '../../trial/event-file.ts';
import { trainerEvents } from '../../trial/event-file.ts';
import { exitText, lastWords, wasCutOff, type Trial, type Trials } from '../../trial/trials.ts';
import { findingOf, type CheckResult } from '../check.ts';

const ID = 'event-grammar';
const FIX =
  'Write events with the SDK, or see "Events" in the plugin guide: one JSON object per line, seq from 1 on without gaps.';
const MOST_PER_TRIAL = 5;

/** Every line of every run is an event of the contract, in an order that makes sense. */
export function checkEventGrammar(trials: Trials): CheckResult {
  const judged = trials.all.filter(
    (trial) => trial.verb !== 'describe' && trial.exit.evidence.startFailed === undefined,
  );
  if (!judged.some((trial) => trial.verb === 'train')) return { notRun: trials.cutShort ?? 'no training ran' };
  return judged.flatMap((trial) => judgeTrial(trial).slice(0, MOST_PER_TRIAL));
}

function judgeTrial(trial: Trial): Finding[] {
  const report = (message: string, line?: EventLine): Finding => {
    const event = line !== undefined && line.event !== null ? { event: line.seq } : {};
    const where = line === undefined ? {} : { where: { file: 'events.jsonl', line: line.line, ...event } };
    return findingOf(ID, `In the run "${trial.name}": ${message}`, FIX, where);
  };
  if (trial.eventsProblem === 'absent') {
    // validate may be silent: its answer is the document on stdout.
    if (trial.verb === 'validate' || wasCutOff(trial)) return [];
    const evidence = { evidence: lastWords(trial) };
    return [findingOf(ID, `In the run "${trial.name}": there is no output/events.jsonl.`, FIX, evidence)];
  }
  if (trial.eventsProblem !== null) return [report(`output/events.jsonl is ${trial.eventsProblem.replace('-', ' ')}.`)];
  if (trial.events.length === 0 && trial.verb === 'validate') return [];
  return [...judgeLines(trial.events, report), ...judgeOrder(trial, report)];
}

type Reporter = (message: string, line?: EventLine) => Finding;

function judgeLines(lines: readonly EventLine[], report: Reporter): Finding[] {
  const findings: Finding[] = [];
  let expected: number | null = 1;
  for (const line of lines) {
    if (line.event === null) {
      // event-file tells of it; what follows may have any number.
      expected = null;
      continue;
    }
    if (expected !== null && line.seq !== expected)
      findings.push(report(`line ${line.line} has seq ${line.seq} where ${expected} is expected.`, line));
    expected = line.seq + 1;
    for (const strange of line.strange) findings.push(report(`line ${line.line}: ${strange}.`, line));
    const { event } = line;
    if (!('other' in event) && event.type === 'warning' && !isKnownWarning(event.code)) {
      findings.push({
        ...report(`line ${line.line}: the warning code "${event.code}" is not known.`, line),
        severity: 'warning',
        fix: 'Use a code of the contract, or one of your own beginning with "x-".',
      });
    }
  }
  return findings;
}

function isKnownWarning(code: string): boolean {
  return code.startsWith('x-') || WARNING_CODES.some((known) => known === code);
}

function isTerminal({ type }: { readonly type: string }): boolean {
  return TERMINAL_EVENTS.some((terminal) => terminal === type);
}

function judgeOrder(trial: Trial, report: Reporter): Finding[] {
  const findings: Finding[] = [];
  const types = trial.events.flatMap(({ event }) => (event === null ? [] : [event.type]));
  if (types.length > 0 && types[0] !== 'started')
    findings.push(report(`the first event is "${types[0]}", not "started".`));
  const terminals = types.filter((type) => isTerminal({ type })).length;
  if (terminals === 0 && !wasCutOff(trial)) {
    const message = `there is no terminal event (finished, stopped or failed), although it ended with ${exitText(trial.exit)}.`;
    const evidence = lastWords(trial);
    findings.push({ ...report(message), ...(evidence === '' ? {} : { evidence }) });
  }
  if (terminals > 1) findings.push(report(`there are ${terminals} terminal events; exactly one ends a run.`));
  if (terminals > 0 && !isTerminal({ type: types.at(-1) ?? '' }))
    findings.push(report(`"${types.at(-1)}" comes after the terminal event.`));
  const events = trainerEvents(trial.events);
  return [...findings, ...judgePhases(events, report), ...judgeRising(events, report)];
}

/** Begin and end pair up and nest. A run that was stopped or failed may leave phases open. */
function judgePhases(events: readonly TrainerEvent[], report: Reporter): Finding[] {
  const open: string[] = [];
  for (const event of events) {
    if (event.type !== 'phase') continue;
    if (event.state === 'begin') open.push(event.name);
    else if (open.at(-1) === event.name) open.pop();
    else return [report(`the phase "${event.name}" ends (event ${event.seq}) but is not the one that began last.`)];
  }
  if (open.length === 0 || events.at(-1)?.type !== 'finished') return [];
  return [report(`the phase "${open.at(-1)}" begins but never ends.`)];
}

/** Steps and progress never fall. */
function judgeRising(events: readonly TrainerEvent[], report: Reporter): Finding[] {
  const highest = new Map<string, number>();
  for (const event of events) {
    if (event.type !== 'metric' && event.type !== 'progress') continue;
    const [key, value] =
      event.type === 'metric' ? [`step of ${event.split}`, event.step] : [`progress in ${event.unit}`, event.current];
    if (value < (highest.get(key) ?? 0))
      return [report(`the ${key} falls from ${highest.get(key)} to ${value} (event ${event.seq}).`)];
    highest.set(key, value);
  }
  return [];
}
