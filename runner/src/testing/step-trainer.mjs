// A trainer in one file, so that it can be packed and downloaded like any other. It follows a script in its config: `{script: [step, …]}`. A step is one of
// {say, …event fields} · {print, to?} · {raw} · {sleep} · {repeat, times} · {checkpoint} · {file, text} · {link, to} · {fifo} · {exit} · {kill}
// · {untilFile} (of the job folder). SIGTERM: writes a checkpoint, says `stopped` and exits 75, unless config.stubborn.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const [verb, , folder] = process.argv.slice(2);
const job = JSON.parse(readFileSync(join(folder, 'job.json'), 'utf8'));
const script = job.config.script;
let seq = 0;
let step = job.resume?.step ?? 0;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const raw = (text) => appendFileSync(join(folder, 'output', 'events.jsonl'), text);
const say = (type, fields) => {
  seq = fields.seq ?? seq + 1;
  raw(`${JSON.stringify({ v: 1, ts: new Date().toISOString(), type, ...fields, seq })}\n`);
};

function checkpoint(kinds) {
  const id = `c-${String(step).padStart(6, '0')}`;
  const text = JSON.stringify({ step, weights: 'x'.repeat(100) });
  const scratch = join(folder, 'checkpoints', `.tmp-${id}`);
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, 'state.json'), text);
  const sha = createHash('sha256').update(text).digest('hex');
  const digest = createHash('sha256').update(`${sha}  ${text.length}  state.json\n`).digest('hex');
  renameSync(scratch, join(folder, 'checkpoints', id));
  const path = `checkpoints/${id}`;
  say('checkpoint', { id, path, kinds, step, bytes: text.length, sha256: digest, resumable: true, format: 'json' });
  return id;
}

process.on('SIGTERM', () => {
  if (job.config.stubborn) return;
  step += 1;
  say('stopped', { reason: 'signal', checkpoint: checkpoint(['last']) });
  process.exit(75);
});

async function play(steps) {
  for (const item of steps) {
    if (item.say !== undefined) say(item.say, item.fields ?? {});
    else if (item.print !== undefined) (item.to === 'stderr' ? process.stderr : process.stdout).write(item.print);
    else if (item.raw !== undefined) raw(item.raw);
    else if (item.sleep !== undefined) await pause(item.sleep);
    else if (item.repeat !== undefined) for (let i = 0; i < item.times; i += 1) await play(item.repeat);
    else if (item.metric !== undefined) {
      step += 1;
      say('metric', { step, split: 'train', values: { loss: 1 / step } });
    } else if (item.checkpoint !== undefined) checkpoint(item.checkpoint);
    else if (item.file !== undefined) {
      mkdirSync(dirname(join(folder, item.file)), { recursive: true });
      writeFileSync(join(folder, item.file), item.text);
    } else if (item.link !== undefined) symlinkSync(item.to, join(folder, item.link));
    else if (item.fifo !== undefined) execFileSync('mkfifo', [join(folder, item.fifo)]);
    else if (item.untilFile !== undefined) while (!existsSync(resolve(folder, item.untilFile))) await pause(20);
    else if (item.kill !== undefined) process.kill(process.pid, item.kill);
    else if (item.exit !== undefined) process.exit(item.exit);
  }
}

if (verb !== job.command) process.exit(64);
say('started', {
  trainer: { name: '@test/scripted', version: '1.0.0' },
  contract: job.contract,
  command: verb,
  task: job.task,
  model: job.model,
  device: { kind: 'cpu', name: 'CPU', count: 1 },
  versions: {},
  ...(job.resume ? { resumedFrom: { checkpoint: job.resume.checkpoint, step } } : {}),
});
await play(script);
