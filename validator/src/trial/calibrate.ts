import { availableParallelism, loadavg } from 'node:os';

/** Milliseconds of the loop below on a quiet core of the reference machine. */
const REFERENCE_MS = 14;
const SIDE = 160;
const ROUNDS = 3;

/**
 * How many times slower this machine is now than the reference machine, 1 to 4: time boxes are multiplied by it. A short loop may run without being
 * interrupted however many wait, so the queue counts too.
 */
export function slowness(): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const begun = performance.now();
    multiply();
    return performance.now() - begun;
  });
  const queue = (loadavg()[0] ?? 0) / availableParallelism();
  return Math.min(4, Math.max(1, queue, Math.min(...times) / REFERENCE_MS));
}

function multiply(): number {
  const a = Float64Array.from({ length: SIDE * SIDE }, (_, at) => (at % 17) / 17);
  const b = Float64Array.from({ length: SIDE * SIDE }, (_, at) => (at % 23) / 23);
  const out = new Float64Array(SIDE * SIDE);
  for (let row = 0; row < SIDE; row += 1) {
    for (let inner = 0; inner < SIDE; inner += 1) {
      const left = a[row * SIDE + inner] ?? 0;
      for (let column = 0; column < SIDE; column += 1) {
        const at = row * SIDE + column;
        out[at] = (out[at] ?? 0) + left * (b[inner * SIDE + column] ?? 0);
      }
    }
  }
  return out[0] ?? 0;
}
