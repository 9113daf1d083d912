import { cpus } from 'node:os';
import { join } from 'node:path';
import { carryOut, type TrainerDefinition } from './carry-out.ts';
import { failureOf } from './errors.ts';
import { EventWriter } from './event-writer.ts';
import { CONTRACT, parseArguments, parseJob, readJobText } from './job-file.ts';
import { numberAt, objectAt, textAt, type JsonObject } from './json-value.ts';
import { StopWatch } from './stop-watch.ts';
import { describeDocument, readPackage, type TrainerPackage } from './trainer-package.ts';

export interface Program {
  /** Runs one command to its end and exits the process with the contract's exit code. */
  main(argv?: readonly string[]): Promise<void>;
}

export function defineTrainer(definition: TrainerDefinition): Program {
  return { main: (argv = process.argv.slice(2)) => main(definition, argv) };
}

async function main(definition: TrainerDefinition, argv: readonly string[]): Promise<void> {
  const watch = new StopWatch(process.platform === 'win32');
  let writer: EventWriter | null = null;
  let exit: number;
  try {
    const { command, folder } = parseArguments(argv);
    const trainer = readPackage(definition.manifest);
    const versions = { node: process.versions.node, ...definition.versions };
    if (command === 'describe') {
      await print(describeDocument(trainer, definition.describeModels?.() ?? listOf(trainer), versions));
      return process.exit(0);
    }
    writer = new EventWriter(join(folder, 'output'));
    const raw = readJobText(folder);
    writer.emit('started', startedFields(raw, trainer, command, versions));
    exit = await carryOut(definition, trainer, parseJob(folder, command, raw), writer, watch);
  } catch (error) {
    exit = reportFailure(writer, error);
  }
  process.exit(exit);
}

function listOf(trainer: TrainerPackage): readonly unknown[] {
  const models: unknown = trainer.manifest['models'];
  return Array.isArray(models) ? models : [];
}

async function print(value: unknown): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(`${JSON.stringify(value)}\n`, () => resolve()));
}

function startedFields(
  raw: JsonObject,
  trainer: TrainerPackage,
  command: string,
  versions: Readonly<Record<string, string>>,
): JsonObject {
  const resume = objectAt(raw, 'resume');
  const path = textAt(resume, 'checkpoint');
  return {
    trainer: { name: trainer.name, version: trainer.version },
    contract: CONTRACT,
    command,
    task: textAt(raw, 'task') ?? '',
    model: textAt(raw, 'model') ?? '',
    device: { kind: 'cpu', name: cpus()[0]?.model ?? 'cpu', count: 1 },
    versions,
    ...(path === null
      ? {}
      : { resumedFrom: { checkpoint: path.split('/').at(-1) ?? path, step: numberAt(resume, 'step') ?? 0 } }),
  };
}

function reportFailure(writer: EventWriter | null, error: unknown): number {
  const { exit, ...failure } = failureOf(error);
  process.stderr.write(`${failure.message}${failure.hint === undefined ? '' : ` ${failure.hint}`}\n`);
  try {
    writer?.end('failed', failure);
  } catch {
    // The disk that failed may be the one that holds the events; the exit code still tells.
  }
  return exit;
}
