import { spawnSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { median } from './support/rounds.ts';

/**
 * CPU that one metric and one progress call add to a training step. The step is synthetic: 10 ms of CPU, less than a step of timm's smallest network
 * on the digits, so the share shown is an upper bound for real trainers.
 */
const STEP_MS = 10;
const STEPS = 150;
const ROUNDS = 5;
const GOAL_PERCENT = 1;

interface Cost {
  readonly work: number;
  readonly other: number;
}

function run([program = '', ...args]: readonly string[], mode: string): Cost {
  const { stdout, stderr, status } = spawnSync(program, [...args, mode, String(STEPS), String(STEP_MS)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return parseCost(stdout);
}

function parseCost(text: string): Cost {
  return JSON.parse(text) as Cost;
}

function measure(name: string, command: readonly string[]): void {
  const added: number[] = [];
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const first = run(command, round % 2 === 0 ? 'calls' : 'bare');
    const second = run(command, round % 2 === 0 ? 'bare' : 'calls');
    const [calls, bare] = round % 2 === 0 ? [first, second] : [second, first];
    added.push(calls.other - bare.other);
    shares.push(((calls.other - bare.other) / (bare.work + bare.other)) * 100);
  }
  const share = median(shares);
  const verdict = share <= GOAL_PERCENT ? 'kept' : 'MISSED';
  console.log(
    `${name}: ${median(added).toFixed(0)} µs of CPU added to a bare step of ${STEP_MS} ms, ${share.toFixed(2)} %, goal ${GOAL_PERCENT} %: ${verdict} (${ROUNDS} rounds, load ${(loadavg()[0] ?? 0).toFixed(1)})`,
  );
}

const here = import.meta.dirname;
measure('sdk-python', ['python3', join(here, 'sdk_loop.py')]);
measure('sdk-node', [process.execPath, join(here, 'sdk-loop.ts')]);
