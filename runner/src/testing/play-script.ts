import { createHash } from 'node:crypto';
import { floodLine, type ScriptStep, type TrainerScript } from './trainer-script.ts';

/** What a scripted trainer can do to the world; the real program does it, the fake records it. */
export interface Stage {
  now(): number;
  /** Ends early when a stop was asked for and the script does not ignore it. */
  sleep(ms: number): Promise<void>;
  print(stream: 'stdout' | 'stderr', bytes: Buffer): Promise<void>;
  appendEvents(bytes: Buffer): Promise<void>;
  truncateEvents(): Promise<void>;
  /** Paths relative to the job folder; folders are made. */
  write(path: string, bytes: Buffer): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  allocate(bytes: number): Promise<void>;
  fork(escape: boolean): Promise<void>;
  killSelf(): Promise<never>;
  vanish(): Promise<never>;
  /** SIGTERM arrived and the script wants to save. */
  stopAsked(): boolean;
}

const PIECE = 16 * 1024 * 1024;

/** Plays to the end and answers the exit code. */
export async function playScript(script: TrainerScript, stage: Stage): Promise<number> {
  const player = new Player(stage);
  for (const step of script.steps) {
    if (stage.stopAsked()) break;
    const code = await player.play(step);
    if (code !== null) return code;
  }
  if (!stage.stopAsked()) return 0;
  await player.play({ do: 'checkpoint', id: 'c-stop', step: player.step, saveMs: script.saveMs }, true);
  await player.event({ type: 'stopped', reason: 'signal', checkpoint: 'c-stop' });
  return 75;
}

class Player {
  step = 0;
  readonly #stage: Stage;
  #seq = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async event(event: Readonly<Record<string, unknown>>): Promise<void> {
    this.#seq += 1;
    const line = JSON.stringify({ v: 1, seq: this.#seq, ts: new Date(this.#stage.now()).toISOString(), ...event });
    await this.#stage.appendEvents(Buffer.from(`${line}\n`));
  }

  /** Exit code, or null to go on. `saving`: a stop no longer cuts anything short. */
  async play(step: ScriptStep, saving = false): Promise<number | null> {
    const stage = this.#stage;
    switch (step.do) {
      case 'event':
        if (typeof step.event['step'] === 'number') this.step = step.event['step'];
        await this.event(step.event);
        return null;
      case 'raw-events':
        await stage.appendEvents(Buffer.from(step.text));
        return null;
      case 'truncate-events':
        await stage.truncateEvents();
        return null;
      case 'print':
        await stage.print(
          step.to ?? 'stdout',
          step.base64 === undefined ? Buffer.from(step.text ?? '') : Buffer.from(step.base64, 'base64'),
        );
        return null;
      case 'flood':
        await this.#flood(step.lines, step.to ?? 'stdout');
        return null;
      case 'sleep':
        await stage.sleep(step.ms);
        return null;
      case 'checkpoint':
        await this.#checkpoint(step.id, step.step, step.saveMs ?? 0, saving);
        return null;
      case 'artifact':
        await this.#artifact(step.path, Buffer.from(step.text));
        return null;
      case 'allocate':
        for (let taken = 0; taken < step.bytes && !stage.stopAsked(); taken += PIECE) {
          await stage.allocate(Math.min(PIECE, step.bytes - taken));
          await stage.sleep(step.pieceMs ?? 0);
        }
        return null;
      case 'fork':
        for (let child = 0; child < step.children && !stage.stopAsked(); child += 1)
          await stage.fork(step.escape ?? false);
        return null;
      case 'fill-disk':
        for (let taken = 0, part = 0; taken < step.bytes && !stage.stopAsked(); taken += PIECE, part += 1) {
          await stage.write(`output/fill-${part}.bin`, Buffer.alloc(Math.min(PIECE, step.bytes - taken), part + 1));
          await stage.sleep(step.pieceMs ?? 0);
        }
        return null;
      case 'kill-self':
        return stage.killSelf();
      case 'vanish':
        return stage.vanish();
      case 'exit':
        return step.code;
    }
  }

  async #flood(lines: number, stream: 'stdout' | 'stderr'): Promise<void> {
    for (let first = 0; first < lines; first += 10_000) {
      const count = Math.min(10_000, lines - first);
      const text = Array.from({ length: count }, (_, index) => floodLine(first + index)).join('');
      await this.#stage.print(stream, Buffer.from(text));
    }
  }

  async #checkpoint(id: string, step: number, saveMs: number, saving: boolean): Promise<void> {
    const stage = this.#stage;
    const bytes = Buffer.from(JSON.stringify({ id, step, weights: [step, step + 1] }));
    await stage.write(`checkpoints/.tmp-${id}`, bytes);
    const until = stage.now() + saveMs;
    while (stage.now() < until && (saving || !stage.stopAsked())) await stage.sleep(Math.min(20, until - stage.now()));
    await stage.rename(`checkpoints/.tmp-${id}`, `checkpoints/${id}`);
    await stage.write('checkpoints/.tmp-index.json', Buffer.from(JSON.stringify({ checkpoints: [{ id, step }] })));
    await stage.rename('checkpoints/.tmp-index.json', 'checkpoints/index.json');
    const place = { id, path: `checkpoints/${id}`, kinds: ['last'], step, ...sizeAndDigest(bytes) };
    await this.event({ type: 'checkpoint', ...place, resumable: true, format: 'json' });
  }

  async #artifact(path: string, bytes: Buffer): Promise<void> {
    await this.#stage.write(`output/${path}`, bytes);
    const place = { kind: 'table', path: `output/${path}`, mediaType: 'text/csv', ...sizeAndDigest(bytes) };
    await this.event({ type: 'artifact', ...place });
  }
}

function sizeAndDigest(bytes: Buffer): { bytes: number; sha256: string } {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
