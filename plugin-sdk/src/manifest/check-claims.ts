import type { Severity } from '../finding.ts';
import { patternProblem } from '../config/linear-pattern.ts';
import { nearest } from '../config/nearest.ts';
import { isObject } from '../config/schema-shape.ts';
import {
  COMMON_METRICS,
  DATASET_FORMATS,
  EXPORT_FORMATS,
  METRIC_NAME,
  PRECISIONS,
  TASKS,
  type TaskWord,
} from '../vocabulary.ts';
import type { Manifest } from './manifest-shape.ts';
import { readLicence } from './licence-expression.ts';

export type Report = (
  check: string,
  pointer: string,
  message: string,
  fix: string,
  more?: { severity?: Severity; evidence?: string },
) => void;

export interface ClaimContext {
  readonly manifest: Manifest;
  readonly configSchema: unknown;
  readonly report: Report;
}

function didYouMean(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === null ? `Known: ${known.join(', ')}.` : `Did you mean "${near}"? Known: ${known.join(', ')}.`;
}

function isOwn(word: string): boolean {
  return /^x-[a-z0-9][a-z0-9-]{0,60}(@[0-9]+)?$/.test(word);
}

function taskWord(id: string): TaskWord | null {
  const entry = Object.entries(TASKS).find(([known]) => known === id);
  return entry?.[1] ?? null;
}

export function checkTasks({ manifest, report }: ClaimContext): void {
  const seen = new Set<string>();
  manifest.tasks.forEach((task, i) => {
    const at = `/tasks/${i}`;
    const word = taskWord(task.id);
    if (word === null && !isOwn(task.id)) {
      report('task-known', `${at}/id`, `"${task.id}" is no task.`, didYouMean(task.id, Object.keys(TASKS)));
    }
    if (seen.has(task.id))
      report('task-known', `${at}/id`, `The task "${task.id}" stands twice.`, 'Keep one of the two.');
    seen.add(task.id);
    task.datasets.forEach((format, j) => {
      if (isOwn(format) || (word?.datasets ?? DATASET_FORMATS).includes(format)) return;
      const known = DATASET_FORMATS.some((one) => one === format);
      const message = known
        ? `The format "${format}" cannot hold the task ${task.id}.`
        : `"${format}" is no dataset format.`;
      report(
        'dataset-format-known',
        `${at}/datasets/${j}`,
        message,
        didYouMean(format, word?.datasets ?? DATASET_FORMATS),
      );
    });
    if (word === null) return;
    if (task.predictions !== word.predictions) {
      report(
        'task-known',
        `${at}/predictions`,
        `"${task.predictions}" is not the kind of ${task.id}.`,
        `Write ${word.predictions}.`,
      );
    }
    checkMetrics(task, word, at, report);
  });
}

function checkMetrics(task: Manifest['tasks'][number], word: TaskWord, at: string, report: Report): void {
  const { primary, direction, declared } = task.metrics;
  const names = declared.map((metric) => (typeof metric === 'string' ? metric : metric.name));
  if (primary !== word.primary) {
    report(
      'metrics-canonical',
      `${at}/metrics/primary`,
      `"${primary}" is not the primary metric of ${task.id}.`,
      `Write ${word.primary}.`,
    );
  } else if (direction !== 'max') {
    report(
      'metrics-canonical',
      `${at}/metrics/direction`,
      `${primary} is better when larger.`,
      'Write direction: max.',
    );
  }
  if (!names.includes(primary)) {
    report(
      'metrics-canonical',
      `${at}/metrics/declared`,
      `The primary metric "${primary}" is not declared.`,
      'Add it to declared.',
    );
  }
  const known = [...word.metrics, ...COMMON_METRICS];
  names.forEach((name, i) => {
    if (known.includes(name) || name.startsWith('x/')) {
      if (METRIC_NAME.test(name)) return;
      report(
        'metrics-canonical',
        `${at}/metrics/declared/${i}`,
        `"${name}" is no metric name.`,
        'Use a-z, 0-9, "_", "/", "." and "-".',
      );
      return;
    }
    const fix = `${didYouMean(name, known)} Own metrics begin with "x/".`;
    report('metrics-canonical', `${at}/metrics/declared/${i}`, `"${name}" is no metric of ${task.id}.`, fix);
  });
  names.forEach((name, i) => {
    if (names.indexOf(name) === i) return;
    report(
      'metrics-canonical',
      `${at}/metrics/declared/${i}`,
      `The metric "${name}" stands twice.`,
      'Keep one of the two.',
    );
  });
}

export function checkModels({ manifest, report }: ClaimContext): void {
  const tasks = manifest.tasks.map((task) => task.id);
  const formats = (manifest.exports ?? []).map((claim) => claim.format);
  const ids = new Map<string, number>();
  manifest.models.forEach((model, i) => {
    const at = `/models/${i}`;
    const label = model.id ?? model.pattern ?? `number ${i + 1}`;
    if ((model.id === undefined) === (model.pattern === undefined)) {
      const fix = 'Give it an id, or for an open family a pattern and source: describe.';
      report('manifest-invalid', at, `The model ${label} has both or neither of id and pattern.`, fix);
    }
    if (model.pattern !== undefined) {
      const problem = patternProblem(model.pattern);
      if (problem !== null)
        report('model-unique', `${at}/pattern`, `The pattern ${problem}.`, 'Use classes, groups and repeats only.');
      if (model.source !== 'describe')
        report('manifest-invalid', `${at}/source`, 'An open family has no source.', 'Write source: describe.');
    }
    if (model.id !== undefined) {
      const earlier = ids.get(model.id);
      if (earlier !== undefined) {
        report('model-unique', `${at}/id`, `The model "${model.id}" stands twice.`, 'Rename or remove one.', {
          evidence: `entries ${earlier + 1} and ${i + 1} of models`,
        });
      }
      ids.set(model.id, i);
    }
    dangling(model.tasks, tasks, `${at}/tasks`, `The model ${label}`, 'task', report);
    dangling(model.exports ?? [], formats, `${at}/exports`, `The model ${label}`, 'export format', report);
    checkInput(model, at, label, report);
    checkWeights(model, at, report);
  });
  for (const task of tasks) {
    const probes = manifest.models.filter((model) => model.probe === true && model.tasks.includes(task));
    if (probes.length === 1) continue;
    const message =
      probes.length === 0
        ? `The task ${task} has no probe model.`
        : `The task ${task} has ${probes.length} probe models.`;
    const fix = 'Set probe: true on exactly one model of the task, the smallest one.';
    const evidence = probes.map((model) => model.id ?? model.pattern).join(', ');
    report('probe-per-task', '/models', message, fix, evidence === '' ? {} : { evidence });
  }
}

function checkInput(model: Manifest['models'][number], at: string, label: string, report: Report): void {
  const input = model.input;
  if (input === undefined || (input.min <= input.default && input.default <= input.max)) return;
  report(
    'matrix-consistent',
    `${at}/input`,
    `The default size of ${label} lies outside min and max.`,
    'Correct the three sizes.',
  );
}

function checkWeights(model: Manifest['models'][number], at: string, report: Report): void {
  const ids = new Set<string>();
  (model.weights ?? []).forEach((weights, i) => {
    const pointer = `${at}/weights/${i}`;
    const wanted = ['sha256', 'bytes', 'license', ...(weights.source === 'mirror' ? (['url'] as const) : [])] as const;
    const missing = wanted.filter((key) => weights[key] === undefined);
    if (missing.length > 0) {
      const message = `The weights "${weights.id}" lack ${missing.join(', ')}.`;
      report(
        'weights-licence',
        pointer,
        message,
        'Add digest, size and licence (mirror: also url), so that everyone gets the same file.',
      );
    }
    const licence = weights.license === undefined ? null : readLicence(weights.license);
    if (licence !== null && licence.problem !== null) {
      const fix = licence.suggestion === null ? 'Use an SPDX id or LicenseRef-<name>.' : `Write ${licence.suggestion}.`;
      report('weights-licence', `${pointer}/license`, `The licence of "${weights.id}" ${licence.problem}.`, fix);
    }
    if (ids.has(weights.id))
      report('model-unique', `${pointer}/id`, `The weights "${weights.id}" stand twice.`, 'Rename one.');
    ids.add(weights.id);
    dangling(
      weights.tasks ?? [],
      model.tasks,
      `${pointer}/tasks`,
      `The weights "${weights.id}"`,
      'task of the model',
      report,
    );
  });
}

function dangling(
  names: readonly string[],
  declared: readonly string[],
  pointer: string,
  subject: string,
  what: string,
  report: Report,
): void {
  names.forEach((name, i) => {
    if (declared.includes(name)) return;
    const fix = declared.length === 0 ? `Declare it first.` : didYouMean(name, declared);
    report('matrix-consistent', `${pointer}/${i}`, `${subject} names "${name}", which is no declared ${what}.`, fix);
  });
}

export function checkExports({ manifest, configSchema, report }: ClaimContext): void {
  const tasks = manifest.tasks.map((task) => task.id);
  const models = manifest.models.flatMap((model) => (model.id === undefined ? [] : [model.id]));
  const open = manifest.models.some((model) => model.pattern !== undefined);
  const claims = manifest.exports ?? [];
  claims.forEach((claim, i) => {
    const at = `/exports/${i}`;
    if (!isOwn(claim.format) && !EXPORT_FORMATS.some((known) => known === claim.format)) {
      report(
        'format-known',
        `${at}/format`,
        `"${claim.format}" is no export format.`,
        didYouMean(claim.format, EXPORT_FORMATS),
      );
    }
    claim.precisions.forEach((precision, j) => {
      if (PRECISIONS.some((known) => known === precision)) return;
      report(
        'format-known',
        `${at}/precisions/${j}`,
        `"${precision}" is no precision.`,
        didYouMean(precision, PRECISIONS),
      );
    });
    dangling(claim.tasks ?? [], tasks, `${at}/tasks`, `The export ${claim.format}`, 'task', report);
    if (!open) dangling(claim.models ?? [], models, `${at}/models`, `The export ${claim.format}`, 'model', report);
    if (claim.options === undefined || hasDefinition(configSchema, claim.options)) return;
    const fix = `Add $defs.${claim.options.split('/').at(-1) ?? ''} to config.schema.json, or correct the pointer ("#/$defs/<name>").`;
    report('options-pointer', `${at}/options`, `There is no ${claim.options} in the config schema.`, fix);
  });
  const { commands } = manifest.capabilities;
  if (claims.length > 0 && !commands.includes('export')) {
    report(
      'matrix-consistent',
      '/capabilities/commands',
      'Exports are declared, but not the command export.',
      'Add export to commands.',
    );
  }
  for (const verb of ['describe', 'validate', 'train', 'evaluate', 'predict'] as const) {
    if (commands.includes(verb)) continue;
    const message = `The command ${verb} is not declared; without it the release cannot reach level L1.`;
    report('matrix-consistent', '/capabilities/commands', message, `Add ${verb} to commands.`, { severity: 'warning' });
  }
}

function hasDefinition(configSchema: unknown, pointer: string): boolean {
  const name = /^#\/\$defs\/([^/]+)$/.exec(pointer)?.[1];
  const definitions = isObject(configSchema) ? configSchema['$defs'] : undefined;
  return name !== undefined && isObject(definitions) && Object.hasOwn(definitions, name);
}
