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
    if (verb === 'validate' || verb === 'train') effective(spec);
    if (verb === 'train') await train(spec, say);
    if (verb === 'evaluate') evaluate(listed('val.txt'));
    if (verb === 'predict') evaluate(fs.readdirSync(join(job, 'input', 'images')).sort());
    if (verb === 'validate') process.stdout.write(`${JSON.stringify({ problems: absentInVal() })}\n`);
    if (verb === 'train' && flaws.has('silent-exit')) process.exit(0);
    say('finished', { metrics: { top1: 0.5 }, seconds: 1 });
    if (verb === 'train' && flaws.has('two-ends')) say('finished', { metrics: { top1: 0.5 }, seconds: 1 });
  } catch (error) {
    if (error.code === 'ENOSPC')
      Object.assign(error, {
        exit: flaws.has('disk-full-is-70') ? 70 : 74,
        code: flaws.has('disk-full-is-70') ? 'internal.exception' : 'io.disk_full',
      });
    if (error.exit === undefined) throw error;
    if (error.exit === 75) say('stopped', { reason: error.reason ?? 'signal', checkpoint: error.checkpoint });
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
    const half = flaws.has('half-lines') && verb === 'train' && type === 'checkpoint';
    fs.appendFileSync(join(job, 'output', 'events.jsonl'), `${half ? line.slice(0, 40) : line}\n`);
  };
}

function check(spec) {
  const unsupported = flaws.has('unsupported-is-1') ? 1 : 69;
  if (!manifest.tasks.some((task) => task.id === spec.task))
    fail(unsupported, 'unsupported.task', `No task ${spec.task}.`);
  if (!manifest.models.some((model) => model.id === spec.model))
    fail(unsupported, 'unsupported.model', `No model ${spec.model}.`);
  if (!manifest.capabilities.devices.includes(spec.device.kind))
    fail(unsupported, 'unsupported.device', `No device ${spec.device.kind}.`);
  const { format } = spec.dataset ?? { format: 'imagefolder@1' };
  if (format !== 'imagefolder@1') fail(unsupported, 'unsupported.format', `No format ${format}.`);
  const input = flaws.has('input-is-1') ? 1 : 66;
  if (spec.weights != null && spec.weights.sha256 !== hash(fs.readFileSync(join(job, spec.weights.path))))
    fail(input, 'input.digest_mismatch', 'The weights are not the ones that were announced.');
  const wrong = Object.entries(spec.config ?? {}).flatMap(([key, value]) => problemsOf(key, value));
  if (wrong.length > 0)
    fail(78, 'config.invalid', flaws.has('config-unnamed') ? 'Something is wrong.' : wrong.join(' '));
  if (verb === 'validate') {
    const found = datasetProblems();
    if (found.length > 0) fail(65, 'dataset.format', found.join(' '));
  }
  if (spec.checkpoint == null) return;
  const file = join(job, spec.checkpoint.path, 'step');
  if (!fs.existsSync(file)) fail(input, 'input.checkpoint_missing', 'The checkpoint is empty.');
  const bytes = fs.readFileSync(file);
  if (hash(`${hash(bytes)}  ${bytes.length}  step\n`) !== spec.checkpoint.sha256)
    fail(input, 'input.digest_mismatch', 'The checkpoint is not the one that was announced.');
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
  const digests = new Map();
  for (const [split, { list }] of Object.entries(splits)) {
    const paths = listed(list);
    for (const path of paths.filter((one, at) => paths.indexOf(one) !== at)) problems.push(`${path} is listed twice.`);
    if (paths.length === 0) problems.push(`The split ${split} is empty.`);
    for (const path of paths) {
      const file = join(job, 'dataset', path);
      if (!fs.existsSync(file)) problems.push(`${path} is missing.`);
      else if (fs.readFileSync(file)[0] !== 0x89) problems.push(`${path} cannot be decoded.`);
      else {
        const digest = hash(fs.readFileSync(file));
        const twin = digests.get(digest);
        if (twin !== undefined && twin.split !== split) problems.push(`${path} is ${twin.path} of another split.`);
        digests.set(digest, { split, path });
      }
    }
    if (split !== 'train' || flaws.has('trains-without-class')) continue;
    for (const { name, dir } of classes)
      if (!paths.some((path) => path.includes(`/${dir}/`))) problems.push(`The class ${name} is empty.`);
  }
  return problems;
}

function absentInVal() {
  const { classes } = JSON.parse(read(join(job, 'dataset'), 'dataset.json'));
  const absent = classes.filter(({ dir }) => !listed('val.txt').some((path) => path.includes(`/${dir}/`)));
  if (flaws.has('silent-about-val')) return [];
  return absent.map(({ name }) => ({
    code: 'class_missing_in_val',
    severity: 'warning',
    message: `No ${name} in val.`,
  }));
}

function effective(spec) {
  const values = Object.entries(schema.properties).map(([key, property]) => {
    const requested = spec.config?.[key] ?? property.default;
    const dropped = flaws.has('drops-setting') && verb === 'train' && key === 'batch';
    return [key, { requested, effective: dropped ? property.default : requested, target: key, source: 'user' }];
  });
  fs.writeFileSync(
    join(job, 'output', 'config.effective.json'),
    JSON.stringify({ schema: 'config.effective@1', values: Object.fromEntries(values) }),
  );
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
  if (flaws.has('telephones')) {
    const { lookup } = await import('node:dns/promises');
    await lookup('telemetry.example.com').catch(() => undefined);
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
    if (performance.now() / 1000 > spec.limits.maxSeconds && !flaws.has('ignores-clock'))
      throw Object.assign(new Error('time is over'), { exit: 75, checkpoint: id, reason: 'limit' });
  }
  say('phase', { name: 'train', state: 'end' });
}

function save(step, say) {
  const id = 'c-000001';
  const checkpoints = join(job, 'checkpoints');
  const place = (name, text) => {
    const aside = join(checkpoints, `.tmp-${name}`);
    fs.mkdirSync(aside, { recursive: true });
    try {
      fs.writeFileSync(join(aside, 'file'), text);
      fs.mkdirSync(join(checkpoints, name.includes('.') ? '' : name), { recursive: true });
      fs.renameSync(join(aside, 'file'), join(checkpoints, name.includes('.') ? name : `${name}/step`));
    } finally {
      fs.rmSync(aside, { recursive: true, force: true });
    }
  };
  // Every epoch the file grows, so that a small disk is full at some time.
  const bytes = Buffer.from(String(step).padEnd(64 * step, ' '));
  place(id, bytes);
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
  place('index.json', JSON.stringify(index));
  say('checkpoint', { ...entry, format: 'other' });
  return id;
}

function hash(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function evaluate(pictures) {
  const skips = verb === 'evaluate' ? 'skips-images' : 'predicts-less';
  const images = pictures.slice(flaws.has(skips) ? 1 : 0);
  const lines = images.map((image) => JSON.stringify({ image, width: 64, height: 64, classes: [] }));
  fs.writeFileSync(join(job, 'output', 'predictions.jsonl'), `${lines.join('\n')}\n`);
  fs.writeFileSync(
    join(job, 'output', 'metrics.json'),
    JSON.stringify({ schema: 'metrics@1', metrics: { top1: 0.5 }, perClass: perClass() }),
  );
}

function perClass() {
  if (verb !== 'evaluate') return [];
  const { classes } = JSON.parse(read(join(job, 'dataset'), 'dataset.json'));
  const names = classes.map(({ name }) => name);
  if (flaws.has('sorts-classes')) names.sort();
  return names.map((name, index) => ({ index, name }));
}

async function forEver() {
  for (;;) await new Promise((resolve) => setTimeout(resolve, 1000));
}
