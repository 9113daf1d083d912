// Runs test files through node:test's own runner, one process per file, and prints a line per file and every failure whole.
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import type { EventData } from 'node:test';
import { inspect } from 'node:util';
import { emptyTally, type Tally } from './tally.ts';

interface NodeTests {
  readonly title: string;
  readonly files: readonly string[];
  readonly concurrency: number;
  readonly root: string;
}

interface FileResult {
  passed: number;
  failed: number;
  skipped: number;
  /** What the file printed itself; shown only when it failed. */
  output: string;
}

type Result = EventData.TestPass | EventData.TestFail;

/** The set-up of the hub's tests: one PostgreSQL for the whole run, ended with it. */
const globalSetup = 'hub/src/testing/global-setup.ts';

export async function runNodeTests({ title, files, concurrency, root }: NodeTests): Promise<Tally> {
  const tally = emptyTally();
  if (files.length === 0) return tally;
  console.log(`\n── ${title}: ${files.length} files`);

  const results = new Map<string, FileResult>();
  const setup = join(root, globalSetup);
  const needsDatabase = files.some((file) => relative(root, file).startsWith('hub'));
  const stream = run({
    files: [...files],
    concurrency,
    cwd: root,
    ...(needsDatabase && existsSync(setup) ? { globalSetupPath: setup } : {}),
  });
  stream.on('test:pass', (data) => recordPass(data));
  stream.on('test:fail', (data) => recordFail(data));
  stream.on('test:stdout', (data) => keepOutput(data));
  stream.on('test:stderr', (data) => keepOutput(data));
  stream.on('test:summary', (data) => {
    if (data.file !== undefined) printFile(data.file, data.duration_ms);
  });
  for await (const event of stream) void event;
  return tally;

  function recordPass(data: EventData.TestPass): void {
    const name = nameOf(data);
    if (data.skip !== undefined && data.skip !== false) {
      tally.skips.push({ name, reason: data.skip === true || data.skip === '' ? 'no reason given' : data.skip });
      resultOf(fileOf(data)).skipped += 1;
      return;
    }
    if (isFileItself(data)) {
      fail(name, 'This file has no test in it.');
      return;
    }
    if (data.details.type === 'suite') return;
    tally.passed += 1;
    resultOf(fileOf(data)).passed += 1;
  }

  function recordFail(data: EventData.TestFail): void {
    if (data.todo !== undefined && data.todo !== false) return;
    // A suite or a file fails because something in it did, unless its own set-up broke or it could not be loaded.
    const { error } = data.details;
    if ('failureType' in error && error.failureType === 'subtestsFailed') return;
    const result = resultOf(fileOf(data) ?? data.name);
    if (isFileItself(data) && result.failed > 0) return;
    fail(nameOf(data), inspect(error.cause ?? error, { colors: process.stdout.isTTY === true }));
    result.failed += 1;
    // A file that could not be loaded or ended early has no summary: what it wrote is the only hint.
    if (isFileItself(data)) console.log(indent(result.output));
  }

  function fail(name: string, detail: string): void {
    tally.failed += 1;
    tally.failures.push(name);
    console.log(`✖ ${name}\n${indent(detail)}`);
  }

  function keepOutput(data: EventData.TestStdout | EventData.TestStderr): void {
    const result = resultOf(fileOf(data));
    result.output = (result.output + data.message).slice(-8_000);
  }

  function printFile(file: string, milliseconds: number): void {
    const result = resultOf(file);
    const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
    const failed = result.failed > 0 ? `, ${result.failed} FAILED` : '';
    console.log(
      `${relative(root, file)}: ${result.passed} passed${failed}${skipped} (${(milliseconds / 1000).toFixed(1)} s)`,
    );
    if (result.failed > 0 && result.output !== '') console.log(indent(result.output));
  }

  function nameOf(data: Result): string {
    if (isFileItself(data)) return relative(root, resolve(root, data.name));
    const file = fileOf(data);
    return file === undefined ? data.name : `${relative(root, file)}: ${data.name}`;
  }

  function isFileItself(data: Result): boolean {
    return data.nesting === 0 && data.name.endsWith('.test.ts') && files.includes(resolve(root, data.name));
  }

  function resultOf(file: string | undefined): FileResult {
    const path = resolve(root, file ?? title);
    const known = results.get(path) ?? { passed: 0, failed: 0, skipped: 0, output: '' };
    results.set(path, known);
    return known;
  }
}

/** The file that ran. `file` alone is where the test was written, another one for the contract suites. */
function fileOf(data: { readonly file?: string | undefined }): string | undefined {
  return 'entryFile' in data && typeof data.entryFile === 'string' ? data.entryFile : data.file;
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
