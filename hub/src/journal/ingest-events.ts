import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import type { GroupCommit } from './group-commit.ts';
import { parseBatch } from './plan-append.ts';

/** Event lines of an attempt: parsed before the queue, stored once by (attempt, seq), answered after the commit. An empty call answers the mark. */
export async function ingestEvents(
  deps: { journal: GroupCommit },
  attempt: string,
  input: { fence: number; firstSeq: number; lines: readonly string[] },
): Promise<{ next: number }> {
  const events = parseBatch(input.firstSeq, input.lines);
  const bytes = input.lines.reduce((sum, line) => sum + line.length, 0);
  const next = await deps.journal.append(
    attempt,
    input.fence,
    { kind: 'events', firstSeq: input.lines.length === 0 ? 1 : input.firstSeq, events },
    bytes,
  );
  return { next };
}

/** Bytes of stdout or stderr at an offset; known ones are dropped. No bytes = ask for the mark. */
export async function ingestLog(
  deps: { journal: GroupCommit },
  attempt: string,
  input: { fence: number; stream: 'stdout' | 'stderr'; offset: number; body: AsyncIterable<Uint8Array> },
): Promise<{ acked: number }> {
  const bytes = await buffer(Readable.from(input.body));
  const offset = bytes.length === 0 ? 0 : input.offset;
  return {
    acked: await deps.journal.append(
      attempt,
      input.fence,
      { kind: 'log', stream: input.stream, offset, bytes },
      bytes.length,
    ),
  };
}
