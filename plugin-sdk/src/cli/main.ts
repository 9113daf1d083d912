#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { getMe } from '../api/index.ts';
import { HubClient } from '../client/hub-client.ts';
import { isProblemCode, Problem } from '../problem.ts';
import { exitCodeOf, explain, openOutput, type Output } from './output.ts';
import { clientFor, keepSession, readSession } from './session.ts';
import { approve, initTrainer, packFolder, prepare, publishFolder } from './verbs/author.ts';
import { addToHub, convertFolder, inspectDataset, synthFolder } from './verbs/dataset.ts';
import { changeRun, exportRun, logs, train, watch } from './verbs/runs.ts';

const HELP = `trainyard: publish trainers, train with them

  init [folder] [--template python|node] [--name NAME]   a trainer that works, to change
  dev [folder]                 run it here on small generated data, with a live curve
  validate [folder|tgz]        the same checks as the hub
  pack [folder] [--out FILE]   the package
  login URL [--token TOKEN]    keep the address and a token made under /keys
  publish [folder|tgz] [--no-wait]
  prepare NAME                 build the environment of a bundled trainer (timm)
  approve RELEASE              let a digest run here without a wall (administrators)

  dataset inspect PATH [--task T] [--format F]           what a folder or archive is, and every problem in it
  dataset convert PATH --to FORMAT [--task T] --out DIR
  dataset synth --task T [--format F] [--seed 7] [--train 240] [--val 60] --out DIR
  dataset add PATH [--name N]  upload it; --folder PATH: a folder on the machine of the hub (administrators)

  train OWNER/NAME --dataset NAME|ID|FILE.zip [--model M] [--preset P] [--set key=value]… [--no-wait]
  watch RUN · stop RUN · pause RUN · resume RUN · logs RUN [--follow]
  export RUN [--format onnx] [--checkpoint ID] [--out FILE]
  whoami

  --json everywhere: one JSON line with the result. TRAINYARD_URL and TRAINYARD_TOKEN override the login.
`;

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  follow: { type: 'boolean', short: 'f' },
  'no-wait': { type: 'boolean' },
  template: { type: 'string' },
  name: { type: 'string' },
  token: { type: 'string' },
  out: { type: 'string' },
  dataset: { type: 'string' },
  model: { type: 'string' },
  preset: { type: 'string' },
  release: { type: 'string' },
  format: { type: 'string' },
  checkpoint: { type: 'string' },
  task: { type: 'string' },
  to: { type: 'string' },
  folder: { type: 'string' },
  seed: { type: 'string' },
  train: { type: 'string' },
  val: { type: 'string' },
  set: { type: 'string', multiple: true },
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values'];

function need(value: string | undefined, what: string): string {
  if (value === undefined)
    throw new Problem('bad-request', { detail: `${what} is missing.`, fix: 'See trainyard --help.' });
  return value;
}

async function askToken(url: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`Token (make one on ${url}/keys): `);
  lines.close();
  return answer.trim();
}

async function login(url: string, given: string | undefined, output: Output): Promise<void> {
  const address = new URL(url).origin;
  const token = given ?? (await askToken(address));
  const me = await new HubClient({ url: address, token }).call(getMe, {});
  if (me.user === null)
    throw new Problem('not-authenticated', {
      detail: 'This token is not known there.',
      fix: `Make one on ${address}/keys.`,
    });
  await keepSession(process.env, { url: address, token });
  output.line(`Signed in to ${address} as ${me.user.email} (@${me.user.organization}).`);
  output.result({ url: address, organization: me.user.organization });
}

/** Verbs that need the runner or the validator live in their packages as programs of their own. */
function runProgram(name: string, args: readonly string[]): Promise<number> {
  return new Promise((done, failed) => {
    const child = spawn(name, args, { stdio: 'inherit' });
    child.once('error', () =>
      failed(
        new Problem('bad-request', {
          detail: `There is no verb ${name.replace('trainyard-', '')} here.`,
          fix: `Install its program (${name}), or see trainyard --help.`,
        }),
      ),
    );
    child.once('exit', (code) => done(code ?? 1));
  });
}

function countOf(text: string | undefined, otherwise: number, what: string): number {
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Problem('bad-request', { detail: `${what} is no whole number.`, fix: 'See trainyard --help.' });
}

async function runDataset([what, path]: readonly string[], values: Values, output: Output): Promise<number> {
  const wish = { name: values.name, task: values.task, format: values.format };
  switch (what) {
    case 'inspect':
      return inspectDataset(need(path, 'The folder or archive'), wish, output);
    case 'convert':
      return convertFolder(
        need(path, 'The folder or archive'),
        { ...wish, to: need(values.to, '--to'), out: need(values.out, '--out') },
        output,
      );
    case 'synth':
      return synthFolder(
        {
          ...wish,
          out: need(values.out, '--out'),
          seed: countOf(values.seed, 7, '--seed'),
          train: countOf(values.train, 240, '--train'),
          val: countOf(values.val, 60, '--val'),
        },
        output,
      );
    case 'add':
      return addToHub(
        clientFor(await readSession(process.env)),
        {
          ...wish,
          path: values.folder === undefined ? need(path, 'The folder or archive') : undefined,
          folder: values.folder,
        },
        output,
      );
    default:
      throw new Problem('bad-request', {
        detail: `There is no dataset ${what ?? 'verb'}.`,
        fix: 'Use dataset inspect, convert, synth or add; see trainyard --help.',
      });
  }
}

async function run(verb: string, rest: readonly string[], values: Values, output: Output): Promise<number> {
  const [first] = rest;
  const session = await readSession(process.env);
  const wait = values['no-wait'] !== true;
  switch (verb) {
    case 'init': {
      const me =
        session.token === null
          ? null
          : await new HubClient({ url: session.url, token: session.token }).call(getMe, {}).catch(() => null);
      await initTrainer(
        first ?? 'my-trainer',
        { template: values.template ?? 'python', name: values.name, owner: me?.user?.organization ?? 'my-team' },
        output,
      );
      return 0;
    }
    case 'pack':
      await packFolder(first ?? '.', values.out, output);
      return 0;
    case 'login':
      await login(need(first, 'The address of the hub'), values.token, output);
      return 0;
    case 'publish':
      return publishFolder(clientFor(session), first ?? '.', { wait }, output);
    case 'prepare':
      return prepare(clientFor(session), need(first, 'The name of a bundled trainer'), output);
    case 'approve':
      await approve(clientFor(session), need(first, 'The id of a release'), output);
      return 0;
    case 'dataset':
      return runDataset(rest, values, output);
    case 'train':
      return train(
        clientFor(session),
        {
          trainer: need(first, 'The trainer'),
          dataset: need(values.dataset, '--dataset'),
          settings: values.set ?? [],
          wait,
          ...(values.model === undefined ? {} : { model: values.model }),
          ...(values.preset === undefined ? {} : { preset: values.preset }),
          ...(values.name === undefined ? {} : { name: values.name }),
          ...(values.release === undefined ? {} : { version: values.release }),
        },
        output,
      );
    case 'watch':
      return watch(clientFor(session), need(first, 'The run'), output);
    case 'stop':
    case 'pause':
    case 'resume':
      await changeRun(clientFor(session), need(first, 'The run'), verb === 'stop' ? 'cancel' : verb, output);
      return 0;
    case 'logs':
      await logs(clientFor(session), need(first, 'The run'), values.follow === true, output);
      return 0;
    case 'export':
      return exportRun(
        clientFor(session),
        need(first, 'The run'),
        {
          format: values.format ?? 'onnx',
          ...(values.checkpoint === undefined ? {} : { checkpoint: values.checkpoint }),
          ...(values.out === undefined ? {} : { out: values.out }),
        },
        output,
      );
    case 'whoami': {
      const me = await clientFor(session).call(getMe, {});
      output.line(
        me.user === null ? 'Not signed in.' : `${me.user.email} (@${me.user.organization}) on ${session.url}`,
      );
      output.result({ url: session.url, user: me.user });
      return me.user === null ? 77 : 0;
    }
    default:
      return runProgram(`trainyard-${verb}`, process.argv.slice(3));
  }
}

async function main(): Promise<number> {
  const [verb = 'help', ...args] = process.argv.slice(2);
  const json = args.includes('--json');
  const output = openOutput(json, process.stdout);
  try {
    if (verb === 'help' || verb === '--help' || verb === '-h') {
      process.stdout.write(HELP);
      return 0;
    }
    if (verb === 'validate' || verb === 'dev') return await runProgram(`trainyard-${verb}`, args);
    const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
    return await run(verb, positionals, values, output);
  } catch (error) {
    const usage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    const problem =
      error instanceof Problem
        ? error
        : usage
          ? new Problem('bad-request', { detail: error.message, fix: 'See trainyard --help.' })
          : null;
    if (problem === null || !isProblemCode(problem.code)) throw error;
    if (json) process.stdout.write(`${JSON.stringify({ problem: problem.toDocument() })}\n`);
    else process.stderr.write(`${explain(problem).join('\n')}\n`);
    return exitCodeOf(problem);
  }
}

process.exitCode = await main();
