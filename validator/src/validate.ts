import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import {
  newId,
  type ClaimProof,
  type Digest,
  type Finding,
  type Report,
  type StageResult,
  type TaskProof,
} from '@trainyard/plugin-sdk';
import type { SchemaWorkerPool } from '@trainyard/plugin-sdk/config';
import { readPackage, type PackageContent } from '@trainyard/plugin-sdk/package';
import type { Backend } from '@trainyard/runner/backends';
import type { Checkers } from '@trainyard/runner/verify';
import { openPackageStore, type BuiltEnvironment, type PackageStore } from '@trainyard/runner/work';
import { acceptanceResult, acceptTask, type AcceptedTask } from './acceptance/acceptance-stage.ts';
import { findingOf } from './checks/check.ts';
import { runContractStage, type ContractOptions, type TaskOutcome } from './contract/contract-stage.ts';
import { exportResult, exportTask, type ExportedTask } from './export/export-stage.ts';
import type { TrialLimits } from './trial/trial-deps.ts';
import type { DataSize } from './data/test-data.ts';
import { packageStages } from './package-stages.ts';
import { policyOf } from './policy.ts';
import { STAGE_TABLE } from './stages.ts';
import { levelOf, verdictOf } from './verdict.ts';

export { checksDocument } from './checks/checks-document.ts';

/** Stages and findings as far as they are known. */
export interface ValidationProgress {
  readonly stages: readonly StageResult[];
  readonly findings: readonly Finding[];
  /** What goes on now, for people. */
  readonly sentence: string;
}

/** The extracted package that an environment is to be built for. */
export interface PreparedPackage {
  readonly digest: string;
  readonly folder: string;
  readonly content: PackageContent;
}

export interface ValidateOptions {
  /** Path of the packed package, or its bytes. */
  readonly tgz: string | Uint8Array;
  /** Folder for extracted packages and job folders. */
  readonly home: string;
  readonly backend: Backend;
  readonly installation: string;
  readonly schemas: SchemaWorkerPool;
  /** Id of the policy document: `local` or `standard`. */
  readonly policy: string;
  readonly packages?: PackageStore;
  /** Builds what the package needs to run; called once, after package, manifest and config had no error. Throws a sentence. */
  readonly environment?: (prepared: PreparedPackage) => Promise<BuiltEnvironment>;
  /** What the request claims; must equal the package. */
  readonly expected?: { readonly name?: string; readonly version?: string; readonly digest?: string };
  readonly onProgress?: (progress: ValidationProgress) => void;
  /** The Python checkers of exports; absent or null: only ONNX can be checked. */
  readonly checkers?: Checkers | null;
  readonly limits?: TrialLimits;
  /** Pictures to learn from; those of the contract when absent. Fewer only where the suite itself is tried. */
  readonly pictures?: DataSize;
  /** Folder that takes a copy of every export that was made, one folder each. */
  readonly keepExports?: string;
  /** How far to go; L1 when absent. */
  readonly through?: 'L1' | 'L2' | 'L3';
  /** Only these tasks; all of the manifest when absent. */
  readonly tasks?: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Runs the stages in order and answers the whole report. Nothing of the package is trusted; what it does wrong is a finding. Throws when the signal
 * fires, when the source cannot be read, and for faults of our own: the caller must never take that for a pass. May run several times side by side.
 */
export async function validatePackage(options: ValidateOptions): Promise<Report> {
  const validation = new Validation(options);
  try {
    return await validation.run();
  } finally {
    await validation.close();
  }
}

class Validation {
  readonly #options: ValidateOptions;
  readonly #scratch: string;
  readonly #done: StageResult[] = [];
  readonly #findings: Finding[] = [];
  readonly #claims: ClaimProof[] = [];
  readonly #exported: ExportedTask[] = [];
  #tasks: TaskProof[] = [];
  #content: PackageContent | null = null;
  #contractOptions: ContractOptions | null = null;

  constructor(options: ValidateOptions) {
    this.#options = options;
    this.#scratch = join(options.home, 'validations', newId());
  }

  async run(): Promise<Report> {
    const { policy } = this.#options;
    const digest = await this.#readPackage();
    for (const row of STAGE_TABLE.slice(3)) {
      const failed = row.needs.find((need) => !this.#passed(need));
      if (row.absent !== null) this.#skip(row.stage, this.#absentReason(row.stage, row.absent));
      else if (failed !== undefined) this.#skip(row.stage, `Waits for the stage ${failed}.`);
      else if (row.stage === 'contract') await this.#contract(digest);
      else if (this.#through === 'L1') this.#skip(row.stage, 'Measured after publishing.');
      else if (row.stage === 'acceptance') await this.#prove();
      else if (this.#exported.length === 0) this.#skip(row.stage, 'Only asked for up to L2.');
    }
    const judged = {
      findings: this.#findings,
      stages: this.#done,
      hasImage: this.#content?.manifest.image !== undefined,
    };
    return {
      verdict: verdictOf(judged, policyOf(policy)),
      level: levelOf(this.#done, this.#tasks),
      policy,
      platform: `${platform()}/${arch() === 'x64' ? 'amd64' : arch()}`,
      packageDigest: digest,
      stages: this.#done,
      findings: this.#findings,
      tasks: this.#tasks,
      claims: this.#claims,
    };
  }

  get #through(): 'L1' | 'L2' | 'L3' {
    return this.#options.through ?? 'L1';
  }

  async close(): Promise<void> {
    await rm(this.#scratch, { recursive: true, force: true });
  }

  #passed(stage: StageResult['stage']): boolean {
    return this.#done.some((result) => result.stage === stage && result.state === 'passed');
  }

  #absentReason(stage: StageResult['stage'], reason: string): string {
    const hasImage = this.#content?.manifest.image !== undefined;
    return hasImage && (stage === 'image' || stage === 'scan') ? 'Images are not looked at yet.' : reason;
  }

  #skip(stage: StageResult['stage'], reason: string): void {
    this.#done.push({ stage, state: 'skipped', seconds: 0, reason, checks: [] });
  }

  /** Package, manifest and config: one reading. */
  async #readPackage(): Promise<Digest> {
    const { schemas, expected, tgz } = this.#options;
    this.#report('Reading the package', 'package');
    const begun = performance.now();
    const bytes = typeof tgz === 'string' ? createReadStream(tgz) : chunks(tgz);
    const claims = {
      ...(expected?.name === undefined ? {} : { name: expected.name }),
      ...(expected?.version === undefined ? {} : { version: expected.version }),
    };
    const reading = await readPackage(bytes, { schemas, ...(expected === undefined ? {} : { expected: claims }) });
    this.#options.signal.throwIfAborted();
    if (expected?.digest !== undefined && expected.digest !== reading.sha256) {
      const message = `The package has the digest ${reading.sha256}, announced was ${expected.digest}.`;
      this.#findings.push(findingOf('digest-mismatch', message, 'Upload the package again.'));
    }
    this.#findings.push(...reading.findings);
    this.#content = reading.content;
    const seconds = secondsSince(begun);
    this.#done.push(...packageStages(this.#findings, reading.content !== null, seconds));
    this.#report('The package was read', null);
    return reading.sha256;
  }

  async #contract(digest: Digest): Promise<void> {
    const content = this.#content;
    if (content === null) throw new Error('a package without errors has no content');
    const { backend, installation, signal, limits } = this.#options;
    const begun = performance.now();
    const seconds = (): number => secondsSince(begun);
    this.#report('Extracting the package', 'contract');
    const folder = await this.#extract(digest);
    let environment: BuiltEnvironment;
    try {
      environment = (await this.#options.environment?.({ digest, folder, content })) ?? null;
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      this.#done.push({ stage: 'contract', state: 'error', seconds: seconds(), reason, checks: [] });
      return;
    }
    this.#report('Trying out the trainer', 'contract');
    const contract: ContractOptions = {
      backend,
      installation,
      home: this.#scratch,
      content,
      folder,
      environment,
      // From the package, so that the same package gives the same report here and at its author's desk.
      seed: Number.parseInt(digest.slice(-6), 16),
      schemas: this.#options.schemas,
      ...(limits === undefined ? {} : { limits }),
      ...(this.#options.pictures === undefined ? {} : { pictures: this.#options.pictures }),
      ...(this.#options.keepExports === undefined ? {} : { keepExports: this.#options.keepExports }),
      ...(this.#options.tasks === undefined ? {} : { tasks: this.#options.tasks }),
      signal,
      onTrial: (trial) => this.#report(`Tried ${trial.name.replace('-', ': ')}`, 'contract'),
    };
    this.#contractOptions = contract;
    const { result, findings, tasks } = await runContractStage(contract);
    this.#tasks = tasks.map(proofOf);
    this.#done.push({ ...result, seconds: seconds() });
    this.#findings.push(...findings);
    this.#report('The trainer was tried out', null);
  }

  /** Acceptance and export of each task, one task after the other: what one left is gone before the next begins. */
  async #prove(): Promise<void> {
    const options = this.#contractOptions;
    if (options === null) throw new Error('the contract passed without having run');
    const seconds = { acceptance: 0, export: 0 };
    const accepted: AcceptedTask[] = [];
    const proofs: TaskProof[] = [];
    for (const { task } of this.#tasks) {
      const onTrial: ContractOptions['onTrial'] = ({ name }) =>
        this.#report(`${task}: ${name.replaceAll('-', ' ')}`, 'acceptance');
      this.#report(`${task}: letting it learn`, 'acceptance');
      const one = await acceptTask({ ...options, onTrial }, task);
      try {
        accepted.push(one);
        seconds.acceptance += one.proof.seconds;
        this.#findings.push(...one.findings);
        this.#claims.push(...one.claims);
        if (this.#through === 'L2') {
          proofs.push(one.proof);
          continue;
        }
        const exported = await exportTask({ ...options, onTrial }, one, this.#options.checkers ?? null);
        seconds.export += exported.seconds;
        this.#exported.push(exported);
        this.#findings.push(...exported.findings);
        this.#claims.push(...exported.claims);
        proofs.push(withExports(one, exported));
      } finally {
        await one.close();
      }
    }
    this.#tasks = proofs;
    this.#done.push({ ...acceptanceResult(accepted), seconds: Math.round(seconds.acceptance * 10) / 10 });
    if (this.#exported.length > 0)
      this.#done.push({ ...exportResult(this.#exported), seconds: Math.round(seconds.export * 10) / 10 });
    this.#report('The trainer was measured', null);
  }

  async #extract(digest: Digest): Promise<string> {
    const { tgz, signal } = this.#options;
    const packages = this.#options.packages ?? openPackageStore(join(this.#options.home, 'packages'));
    if (typeof tgz === 'string') return packages.ensure(digest, async () => createReadStream(tgz), signal);
    await mkdir(this.#scratch, { recursive: true });
    const file = join(this.#scratch, 'package.tgz');
    await writeFile(file, tgz);
    return packages.ensure(digest, async () => createReadStream(file), signal);
  }

  #report(sentence: string, running: StageResult['stage'] | null): void {
    const stages = STAGE_TABLE.map(({ stage }): StageResult => {
      const done = this.#done.find((result) => result.stage === stage);
      return done ?? { stage, state: stage === running ? 'running' : 'waiting', seconds: 0, checks: [] };
    });
    this.#options.onProgress?.({ stages, findings: [...this.#findings], sentence });
  }
}

function proofOf({ task, model, passed, seconds, reason }: TaskOutcome): TaskProof {
  return { task, model, level: passed ? 'L1' : 'L0', seconds, ...(reason === null ? {} : { reason }) };
}

function withExports({ proof, passed }: AcceptedTask, exported: ExportedTask): TaskProof {
  const seconds = Math.round((proof.seconds + exported.seconds) * 10) / 10;
  if (!passed) return { ...proof, seconds };
  return exported.reason === null ? { ...proof, level: 'L3', seconds } : { ...proof, seconds, reason: exported.reason };
}

function secondsSince(begun: number): number {
  return Math.round(performance.now() - begun) / 1000;
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
