import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, ContractBench, eventsOf, type MakeBackend } from './contract-bench.ts';
import { FLOOD_LINE_BYTES, floodLine, startedStep } from './trainer-script.ts';

/** Bytes that must arrive as they were written. */
export function streamCases(make: MakeBackend): void {
  const stream = (name: string, body: (bench: ContractBench) => Promise<void>): void => {
    test(name, { timeout: 60_000 }, () => ContractBench.run(make, body));
  };

  stream('C20 a log flood arrives complete and does not hold up events', async (bench) => {
    const lines = 200_000;
    const steps = [startedStep(), { do: 'flood', lines }, { do: 'event', event: { type: 'x-late' } }] as const;
    const { handle, output } = await bench.carryOut(await bench.work({ steps }));
    assert.equal(output.stdout.length, lines * FLOOD_LINE_BYTES);
    for (const number of [0, 1, 99_999, 199_999]) {
      const at = number * FLOOD_LINE_BYTES;
      assert.equal(output.stdout.subarray(at, at + FLOOD_LINE_BYTES).toString(), floodLine(number));
    }
    assert.equal(eventsOf(output.events).length, 2);
    // A reader that comes late finds everything at once: events must not wait behind the flood.
    const { pieces } = await collect(await bench.subject.restarted(), handle);
    const late = pieces.findIndex((piece) => Buffer.from(piece.bytes).includes('x-late'));
    const logged = pieces
      .slice(0, late)
      .reduce((sum, piece) => sum + (piece.stream === 'stdout' ? piece.bytes.length : 0), 0);
    assert.ok(late >= 0 && logged < 3_000_000, `after ${logged} bytes of log`);
  });

  stream('C21 long lines, NUL, invalid UTF-8, CR and ANSI are bytes like others', async (bench) => {
    const odd = Buffer.concat([
      Buffer.alloc(300 * 1024, 'x'),
      Buffer.from([0, 0xff, 0xfe, 0xc3, 0x28, 0x0d]),
      Buffer.from('10 %\r20 %\r\u001b[31mred\u001b[0m\n\n'),
    ]);
    const base64 = odd.toString('base64');
    const steps = [
      { do: 'print', base64 },
      { do: 'print', base64, to: 'stderr' },
    ] as const;
    const { output } = await bench.carryOut(await bench.work({ steps }));
    assert.ok(output.stdout.equals(odd));
    assert.ok(output.stderr.equals(odd));
  });

  stream('C24 doubled, missing, broken and half event lines are handed on as they are', async (bench) => {
    const text =
      '{"v":1,"seq":1,"type":"started"}\n{"v":1,"seq":1,"type":"started"}\n{"v":1,"seq":9,"type":"x-gap"}\nrubbish\n{"v":1,"se';
    const { exit, output } = await bench.carryOut(await bench.work({ steps: [{ do: 'raw-events', text }] }));
    assert.equal(exit.kind, 'exited');
    assert.equal(output.events.toString(), text);
  });

  stream('C25 a truncated events file begins a new generation', async (bench) => {
    const work = await bench.work({
      steps: [
        { do: 'raw-events', text: `${'first '.repeat(20)}\n` },
        { do: 'sleep', ms: 800 },
        { do: 'truncate-events' },
        { do: 'raw-events', text: 'second\n' },
        { do: 'sleep', ms: 400 },
      ],
    });
    const { output } = await bench.carryOut(work);
    assert.equal(output.events.toString(), `${'first '.repeat(20)}\nsecond\n`);
    assert.deepEqual(output.marks.events, { offset: 7, generation: 1 });
  });

  stream('a reader that comes back goes on at its marks; two readers do not disturb each other', async (bench) => {
    const chatter = Array.from({ length: 8 }, (_, index) => [
      { do: 'print', text: `line ${index}\n` } as const,
      { do: 'sleep', ms: 60 } as const,
    ]).flat();
    const handle = await bench.backend.start(await bench.work({ steps: [startedStep(), ...chatter] }));
    let early = '';
    let mark = { offset: 0, generation: 0 };
    for await (const piece of bench.backend.follow(handle)) {
      if (piece.stream !== 'stdout') continue;
      early += Buffer.from(piece.bytes).toString();
      mark = { offset: piece.offset + piece.bytes.length, generation: piece.generation };
      if (early.includes('line 3')) break;
    }
    const [rest, all] = await Promise.all([
      collect(bench.backend, handle, { stdout: mark }),
      collect(await bench.subject.restarted(), handle),
    ]);
    assert.equal(early + rest.stdout.toString(), all.stdout.toString());
    assert.equal(all.stdout.toString(), Array.from({ length: 8 }, (_, index) => `line ${index}\n`).join(''));
  });
}
