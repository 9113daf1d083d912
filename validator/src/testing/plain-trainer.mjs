// A trainer without SDK that keeps the contract, and breaks it where flaws.json says so. It learns nothing: it counts steps.
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const read = (folder, file) => fs.readFileSync(join(folder, file), 'utf8');
const flaws = new Set(JSON.parse(read(here, 'flaws.json')));
const manifest = JSON.parse(read(here, 'trainer.yaml'));
const schema = JSON.parse(read(here, 'config.schema.json'));
const [verb, , job] = process.argv.slice(2);
let stopping = false;
process.on('SIGTERM', () => {
  if (flaws.has('stop-exits-143')) process.exit(143);
  if (!flaws.has('ignores-sigterm')) stopping = true;
});

if (verb === 'describe') {
  if (flaws.has('describe-hangs')) await forEver();
  const models = flaws.has('describe-lies') ? [] : manifest.models;
  const versions = { plain: flaws.has('describe-lies') ? '9.9.9' : '1.0.0' };
  const said = { manifest, models, configSchema: schema, presets: JSON.parse(read(here, 'presets.json')), versions };
  process.stdout.write(`${flaws.has('describe-chatters') ? 'Loading …\n' : ''}${JSON.stringify(said)}\n`);
} else await work();

async function work() {
  const spec = JSON.parse(read(job, 'job.json'));
  const say = writer();
  say('started', {
    trainer: { name: manifest.name, version: manifest.version },
    ...{ contract: '1.0', command: verb, task: spec.task, model: spec.model },
    device: { kind: 'cpu', name: 'cpu', count: 1 },
    versions: {},
    ...(spec.resume == null || flaws.has('resume-forgets')
      ? {}
      : { resumedFrom: { checkpoint: 'c', step: spec.resume.step } }),
  });
  try {
    check(spec);
    if (verb === 'train') await train(spec, say);
    if (verb === 'evaluate') evaluate(spec);
    if (verb === 'validate') process.stdout.write('{"problems":[]}\n');
    if (verb === 'train' && flaws.has('silent-exit')) process.exit(0);
    say('finished', { metrics: { top1: 0.5 }, seconds: 1 });
    if (verb === 'train' && flaws.has('two-ends')) say('finished', { metrics: { top1: 0.5 }, seconds: 1 });
  } catch (error) {
    if (error.exit === undefined) throw error;
    if (error.exit === 75) say('stopped', { reason: 'signal', checkpoint: error.checkpoint });
    else say('failed', { code: error.code, message: error.message, hint: error.message });
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exit);
  }
}

function fail(exit, code, message) {
  throw Object.assign(new Error(message), { exit, code });
}

function writer() {
  let seq = 0;
  fs.writeFileSync(join(job, 'output', 'events.jsonl'), '');
  return (type, fields) => {
    if (type === 'progress' && flaws.has('no-progress')) return;
    seq += flaws.has('seq-gap') && verb === 'train' && seq === 2 ? 2 : 1;
    const strange = flaws.has('unknown-field') && verb === 'train' && type === 'phase' ? { colour: 'red' } : {};
    const line = JSON.stringify({ v: 1, seq, ts: new Date().toISOString(), type, ...fields, ...strange });
    fs.appendFileSync(join(job, 'output', 'events.jsonl'), `${line}\n`);
  };
}

function check(spec) {
  const unsupported = flaws.has('unsupported-is-1') ? 1 : 69;
  if (!manifest.tasks.some((task) => task.id === spec.task))
    fail(unsupported, 'unsupported.task', `No task ${spec.task}.`);
  if (!manifest.models.some((model) => model.id === spec.model))
    fail(unsupported, 'unsupported.model', `No model ${spec.model}.`);
  const wrong = Object.entries(spec.config ?? {}).flatMap(([key, value]) => problemsOf(key, value));
  if (wrong.length > 0)
    fail(78, 'config.invalid', flaws.has('config-unnamed') ? 'Something is wrong.' : wrong.join(' '));
  if (verb === 'validate') {
    const found = datasetProblems();
    if (found.length > 0) fail(65, 'dataset.format', found.join(' '));
  }
  if (verb === 'evaluate' && !fs.existsSync(join(job, spec.checkpoint.path, 'step')))
    fail(flaws.has('input-is-1') ? 1 : 66, 'input.checkpoint_missing', 'The checkpoint is empty.');
}

function problemsOf(key, value) {
  const property = schema.properties[key];
  if (property === undefined) return flaws.has('ignores-unknown-key') ? [] : [`${key} is not known.`];
  if (typeof value !== 'number') return [`${key} is no number.`];
  return value < property.minimum || value > property.maximum ? [`${key} is out of range.`] : [];
}

function datasetProblems() {
  const { classes, splits } = JSON.parse(read(join(job, 'dataset'), 'dataset.json'));
  const problems = [];
  for (const [split, { list }] of Object.entries(splits)) {
    const paths = listed(list);
    if (paths.length === 0) problems.push(`The split ${split} is empty.`);
    for (const path of paths) {
      const file = join(job, 'dataset', path);
      if (!fs.existsSync(file)) problems.push(`${path} is missing.`);
      else if (fs.readFileSync(file)[0] !== 0x89) problems.push(`${path} cannot be decoded.`);
    }
    if (split !== 'train' || flaws.has('trains-without-class')) continue;
    for (const { name, dir } of classes)
      if (!paths.some((path) => path.includes(`/${dir}/`))) problems.push(`The class ${name} is empty.`);
  }
  return problems;
}

function listed(list) {
  return read(join(job, 'dataset'), list)
    .split('\n')
    .filter((line) => line !== '');
}

async function train(spec, say) {
  if (flaws.has('never-ends')) await forEver();
  if (flaws.has('floods')) for (;;) fs.writeSync(1, `${'flood '.repeat(20_000)}\n`);
  if (flaws.has('failed-with-0') && spec.config.epochs === 1) {
    say('failed', { code: 'internal.exception', message: 'It broke.' });
    process.exit(0);
  }
  if (flaws.has('output-link')) fs.symlinkSync('/etc/hostname', join(job, 'output', 'plot.png'));
  say('phase', { name: 'train', state: 'begin' });
  const from = spec.resume == null || flaws.has('resume-forgets') ? 0 : spec.resume.step;
  for (let epoch = 1, step = from + 3; epoch <= spec.config.epochs; epoch += 1, step += 3) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    say('progress', { unit: 'epoch', current: epoch, total: spec.config.epochs });
    const metrics = {
      ...(flaws.has('forgets-loss') ? {} : { loss: 1 / step }),
      ...(flaws.has('undeclared-metric') ? { iou: 1 } : {}),
    };
    say('metric', { step, epoch, split: 'val', values: { top1: 0.5, ...metrics } });
    const id = save(step, say);
    if (stopping) throw Object.assign(new Error('stopped'), { exit: 75, checkpoint: id });
  }
  say('phase', { name: 'train', state: 'end' });
}

function save(step, say) {
  const id = 'c-000001';
  const folder = join(job, 'checkpoints', id);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(join(folder, 'step'), String(step));
  const bytes = Buffer.from(String(step));
  const digest = hash(bytes);
  const sha256 = flaws.has('wrong-digest') ? hash('other') : hash(`${digest}  ${bytes.length}  step\n`);
  const entry = {
    id,
    path: `checkpoints/${id}`,
    kinds: ['last', 'best'],
    step,
    bytes: bytes.length,
    sha256,
    resumable: true,
  };
  const index = { schema: 'checkpoints@1', last: id, best: id, history: [{ ...entry, format: 'other' }] };
  fs.writeFileSync(join(job, 'checkpoints', 'index.json'), JSON.stringify(index));
  say('checkpoint', { ...entry, format: 'other' });
  return id;
}

function hash(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function evaluate() {
  const images = listed('val.txt').slice(flaws.has('skips-images') ? 1 : 0);
  const lines = images.map((image) => JSON.stringify({ image, classes: [] }));
  fs.writeFileSync(join(job, 'output', 'predictions.jsonl'), `${lines.join('\n')}\n`);
  fs.writeFileSync(
    join(job, 'output', 'metrics.json'),
    JSON.stringify({ schema: 'metrics@1', metrics: { top1: 0.5 } }),
  );
}

async function forEver() {
  for (;;) await new Promise((resolve) => setTimeout(resolve, 1000));
}
