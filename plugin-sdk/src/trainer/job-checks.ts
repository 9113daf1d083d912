import { checkConfig, withDefaults } from './config-check.ts';
import { ConfigError, InputError, Unsupported } from './errors.ts';
import type { Job } from './job-file.ts';
import { nearest, objectAt, type JsonObject } from './json-value.ts';
import type { ExportClaim, TrainerPackage } from './trainer-package.ts';

/** Refusals before any work is done: what the manifest does not list is 69, a config that does not fit the schema 78. */

function refuse(what: string, code: string, word: string, known: readonly string[]): never {
  const near = nearest(word, known);
  throw new Unsupported(`The ${what} "${word}" is not supported by this trainer.`, {
    code,
    hint:
      near === null
        ? `This trainer lists no ${what}.`
        : `The nearest known ${what} is "${near}". Known: ${known.slice(0, 20).join(', ')}.`,
  });
}

export function requireSupported(trainer: TrainerPackage, job: Job): void {
  if (!trainer.tasks.has(job.task)) refuse('task', 'unsupported.task', job.task, [...trainer.tasks.keys()]);
  const models = trainer.models.filter((model) => model.tasks.includes(job.task)).map((model) => model.id);
  if (!models.includes(job.model)) refuse('model', 'unsupported.model', job.model, models);
  if (!trainer.devices.includes(job.device.kind))
    refuse('device', 'unsupported.device', job.device.kind, trainer.devices);
  if (job.device.kind === 'cpu' && job.device.count > 1) {
    throw new Unsupported('There is only one CPU device.', {
      code: 'unsupported.device',
      hint: 'Set device.count to 1.',
    });
  }
  if (job.command === 'export') requireClaim(trainer, job);
  if (job.modelArtifact !== null) {
    const formats = trainer.exports.map((claim) => claim.format);
    if (!formats.includes(job.modelArtifact.format))
      refuse('format', 'unsupported.format', job.modelArtifact.format, formats);
  }
  if (job.command === 'train' && job.weights !== null && job.weights.path === null) {
    throw new InputError(`This trainer carries no weights "${job.weights.id}".`, {
      code: 'input.weights_missing',
      hint: 'Start from random weights (null) or from a checkpoint of an earlier run.',
    });
  }
}

function requireClaim(trainer: TrainerPackage, job: Job): ExportClaim {
  const { format, precision, dynamic } = job.export;
  const formats = trainer.exports.map((claim) => claim.format);
  const claim =
    trainer.exports.find((item) => item.format === format) ?? refuse('format', 'unsupported.format', format, formats);
  if (!claim.precisions.includes(precision)) refuse('precision', 'unsupported.precision', precision, claim.precisions);
  const fits = (list: readonly string[], word: string): boolean => list.length === 0 || list.includes(word);
  const strange = dynamic.find((axis) => !claim.dynamic.includes(axis));
  if (!fits(claim.tasks, job.task) || !fits(claim.models, job.model) || strange !== undefined) {
    throw new Unsupported(`${format} is not offered for ${job.model} with this task and these dynamic axes.`, {
      hint: `Dynamic axes of ${format}: ${claim.dynamic.join(', ') || 'none'}.`,
    });
  }
  return claim;
}

export function requireConfig(trainer: TrainerPackage, job: Job): void {
  const first = checkConfig(trainer.schema, job.config ?? {}, job.task)[0];
  if (first !== undefined) throw new ConfigError(first.message, { code: first.code, hint: first.hint });
}

/** Options of the export format, defaults filled in. */
export function exportOptions(trainer: TrainerPackage, job: Job): JsonObject {
  const { optionsSchema } = requireClaim(trainer, job);
  if (optionsSchema === null) return job.export.options;
  const schema = { ...optionsSchema, $defs: objectAt(trainer.schema, '$defs') ?? {} };
  const first = checkConfig(schema, job.export.options, job.task)[0];
  if (first !== undefined)
    throw new ConfigError(`Export options: ${first.message}`, { code: first.code, hint: first.hint });
  return withDefaults(schema, job.export.options, job.task);
}

/** The metric that decides `best`. */
export function decidingMetric(
  trainer: TrainerPackage,
  job: Job,
  config: JsonObject,
): { name: string; minimise: boolean } {
  const task = trainer.tasks.get(job.task);
  const asked = config['eval_metric'];
  const name = typeof asked === 'string' ? asked : (task?.primary ?? 'top1');
  return { name, minimise: task?.minimised.has(name) ?? false };
}
