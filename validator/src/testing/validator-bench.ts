import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '@trainyard/plugin-sdk';
import { SchemaWorkerPool } from '@trainyard/plugin-sdk/config';
import { loadBackend, type Backend } from '@trainyard/runner/backends';
import { validatePackage, type ValidateOptions } from '../validate.ts';

/** Home, backend and schema workers for the validations of one test file. */
export class ValidatorBench {
  readonly home: string;
  readonly #backend: Backend;
  readonly #schemas = new SchemaWorkerPool({ workers: 1 });

  private constructor(home: string, backend: Backend) {
    this.home = home;
    this.#backend = backend;
  }

  static async open(): Promise<ValidatorBench> {
    const home = await mkdtemp(join(tmpdir(), 'validator-test-'));
    const backend = await loadBackend('process', { root: join(home, 'process'), installation: 'test' });
    return new ValidatorBench(home, backend);
  }

  validate(tgz: Uint8Array | string, more: Partial<ValidateOptions> = {}): Promise<Report> {
    return validatePackage({
      tgz,
      home: this.home,
      backend: this.#backend,
      installation: 'test',
      schemas: this.#schemas,
      policy: 'local',
      signal: new AbortController().signal,
      ...more,
    });
  }

  /** Executions that are still there. */
  async leftovers(): Promise<number> {
    return (await this.#backend.find()).length;
  }

  async close(): Promise<void> {
    await this.#schemas.close();
    await rm(this.home, { recursive: true, force: true });
  }
}
