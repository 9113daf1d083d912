import type { EventWriter } from './event-writer.ts';
import { fileIn, type Job } from './job-file.ts';
import { requireDigest } from './stored-state.ts';

/** Initial weights of a job: checked, and told when nobody asks for them. */
export class InitialWeights {
  readonly #job: Job;
  readonly #writer: EventWriter;
  #awaited: boolean;

  constructor(job: Job, writer: EventWriter) {
    this.#job = job;
    this.#writer = writer;
    // An attempt that resumes goes on from its checkpoint and needs none.
    this.#awaited = job.command === 'train' && job.weights?.path != null && job.resume === null;
  }

  /** Folder or file; null when none were given. Missing or other bytes: `InputError` (66). */
  check(): string | null {
    const { weights } = this.#job;
    if (weights === null || weights.path === null) return null;
    const path = fileIn(this.#job.folder, weights.path);
    requireDigest('weights', path, weights.path, weights.sha256);
    return path;
  }

  /** The same, for the trainer. */
  ask(): string | null {
    this.#awaited = false;
    return this.check();
  }

  /** Once: steps are done, and the trainer has not asked for the weights it was given. */
  warnUnused(): void {
    if (!this.#awaited) return;
    this.#awaited = false;
    this.#writer.emit('warning', {
      code: 'x-weights-unused',
      message: `The weights ${this.#job.weights?.id} were given, but the trainer did not load them: it does not start from them.`,
      hint: 'Choose no weights, or a trainer that calls run.weightsPath() before its first step.',
    });
  }
}
