import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { parseEventLine, Problem, type AnyEvent, type Outcome } from '@trainyard/plugin-sdk';
import type { ClaimedAttempt, StopAsked } from '@trainyard/plugin-sdk/api';
import type { FakeArtifact, FakeAttempt, FakeJob } from './fake-attempt.ts';

const FORGOTTEN_MS = 1000;

type Body = Record<string, unknown>;

/** A hub in memory for tests of agents: the routes of agents over real HTTP, with leases, fences, marks and blobs. Strict like the real one. */
export class FakeHub {
  readonly attempts: FakeAttempt[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** Requests by path pattern, for tests that count. */
  readonly requests: string[] = [];
  #server: Server | null = null;
  #port = 0;
  #fence = 0;
  #away = false;
  readonly #streams = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.#port, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address !== null && typeof address === 'object') this.#port = (address satisfies AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
  }

  /** Connections are refused until `comeBack`. */
  async goAway(): Promise<void> {
    this.#away = true;
    await this.stop();
  }

  async comeBack(): Promise<void> {
    this.#away = false;
    await this.start();
  }

  enqueue(work: FakeJob): FakeAttempt {
    const attempt: FakeAttempt = {
      id: randomUUID(),
      job: randomUUID(),
      number: 1,
      fence: 0,
      work,
      state: 'queued',
      execution: null,
      renewedAt: 0,
      renewals: 0,
      stop: null,
      phases: [],
      next: 1,
      lines: [],
      log: { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) },
      artifacts: [],
      outcome: null,
      repeated: 0,
    };
    this.attempts.push(attempt);
    return attempt;
  }

  ask(attempt: FakeAttempt, stop: StopAsked): void {
    attempt.stop = stop;
    const message = `id: ${randomUUID()}\ndata: ${JSON.stringify({ attempt: attempt.id, stop })}\n\n`;
    for (const stream of this.#streams) stream.write(message);
  }

  supersede(attempt: FakeAttempt): void {
    attempt.state = 'gone';
    attempt.fence = ++this.#fence;
  }

  eventsOf(attempt: FakeAttempt): AnyEvent[] {
    return attempt.lines.map((line) => {
      const parsed = parseEventLine(line);
      if (!parsed.ok) throw new Error(`stored a line that is no event: ${parsed.reason}`);
      return parsed.event;
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', this.url);
      this.requests.push(`${request.method} ${url.pathname}`);
      const reply = await this.#route(request, response, url);
      if (reply === 'streaming') return;
      if (reply === null) response.writeHead(204).end();
      else if (Buffer.isBuffer(reply))
        response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(reply);
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
    } catch (error) {
      if (this.#away || response.destroyed) return;
      const problem = error instanceof Problem ? error : new Problem('internal', { detail: String(error) });
      response
        .writeHead(problem.status, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify(problem.toDocument()));
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<Body | Buffer | 'streaming' | null> {
    const [, kind, , thing, id, action] = url.pathname.split('/');
    if (kind === 'blobs') return this.#blob(request, url);
    const bytes = action === 'signals' ? Buffer.alloc(0) : await readBytes(request);
    if (request.headers.authorization !== 'Bearer agent-key') throw new Problem('not-authenticated');
    if (action === 'signals') return this.#signals(request, response);
    if (action === 'log') {
      const attempt = this.#require(id, Number(url.searchParams.get('fence')));
      const stream = url.searchParams.get('stream') === 'stderr' ? 'stderr' : 'stdout';
      return this.#log(attempt, stream, Number(url.searchParams.get('offset')), bytes);
    }
    const body: Body = JSON.parse(bytes.toString('utf8') || '{}');
    if (thing === 'jobs') return this.#claim(body, request);
    if (thing === 'leases') return this.#renew(body);
    if (thing !== 'attempts') throw new Problem('not-found');
    const attempt = this.#require(id, Number(body['fence']));
    if (action === 'begin') return this.#begin(attempt, String(body['execution']));
    if (action === 'phase') {
      attempt.phases.push(body as unknown as FakeAttempt['phases'][number]);
      return null;
    }
    if (action === 'events') return this.#events(attempt, body);
    if (action === 'artifacts') return this.#artifact(attempt, body);
    if (action === 'finish') {
      attempt.outcome = body['outcome'] as Outcome;
      attempt.state = 'finished';
      return null;
    }
    throw new Problem('not-found');
  }

  #require(id: string | undefined, fence: number): FakeAttempt {
    const attempt = this.attempts.find((item) => item.id === id);
    if (attempt === undefined) throw new Problem('not-found');
    if (attempt.fence !== fence || attempt.state === 'gone') throw new Problem('attempt-superseded');
    return attempt;
  }

  async #claim(body: Body, request: IncomingMessage): Promise<Body> {
    const until = Date.now() + Number(body['waitSeconds']) * 1000;
    const kinds = body['kinds'] as readonly string[];
    for (;;) {
      const free = this.attempts
        .filter((attempt) => attempt.state === 'queued' && kinds.includes(attempt.work.spec.kind))
        .slice(0, Number(body['slots']));
      if (free.length > 0 || Date.now() >= until || request.socket.destroyed || this.#server === null) {
        return { attempts: request.socket.destroyed ? [] : free.map((attempt) => this.#give(attempt)) };
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #give(attempt: FakeAttempt): ClaimedAttempt {
    attempt.state = 'claimed';
    attempt.fence = ++this.#fence;
    attempt.renewedAt = Date.now();
    const { work } = attempt;
    const inputs = [...(work.inputs ?? [])].map(([sha256, bytes]) => {
      this.blobs.set(sha256, Buffer.from(bytes));
      return { sha256, bytes: bytes.length, url: `${this.url}/blobs/${sha256}` };
    });
    if (work.snapshot !== undefined) this.blobs.set(`snapshot-${attempt.id}`, Buffer.from(work.snapshot));
    return {
      id: attempt.id,
      job: attempt.job,
      number: attempt.number,
      fence: attempt.fence,
      spec: work.spec,
      needsWall: work.needsWall ?? false,
      execution: attempt.execution,
      resume: work.resume ?? null,
      inputs,
      snapshotUrl: work.snapshot === undefined ? null : `${this.url}/blobs/snapshot-${attempt.id}`,
    };
  }

  #renew(body: Body): Body {
    const keys = body['attempts'] as readonly { attempt: string; fence: number }[];
    // Like the real hub: a claim whose answer never arrived is noticed by a renewal that does not name it.
    for (const attempt of this.attempts) {
      const forgotten = attempt.state === 'claimed' && !keys.some((key) => key.attempt === attempt.id);
      if (forgotten && attempt.renewals === 0 && Date.now() - attempt.renewedAt > FORGOTTEN_MS)
        attempt.state = 'queued';
    }
    return {
      attempts: keys.map((key) => {
        const attempt = this.attempts.find((item) => item.id === key.attempt);
        if (attempt === undefined || attempt.fence !== key.fence || attempt.state !== 'claimed') {
          return { attempt: key.attempt, answer: 'gone' };
        }
        attempt.renewedAt = Date.now();
        attempt.renewals += 1;
        if (attempt.stop !== null) return { attempt: key.attempt, answer: 'stop', stop: attempt.stop };
        return { attempt: key.attempt, answer: 'ok' };
      }),
    };
  }

  #signals(request: IncomingMessage, response: ServerResponse): 'streaming' {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': here\n\n');
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    return 'streaming';
  }

  #begin(attempt: FakeAttempt, execution: string): null {
    if (attempt.execution !== null && attempt.execution !== execution) throw new Problem('attempt-superseded');
    attempt.execution = execution;
    return null;
  }

  #events(attempt: FakeAttempt, body: Body): Body {
    const first = Number(body['firstSeq']);
    const lines = body['lines'] as readonly string[];
    if (first > attempt.next) throw new Problem('events-gap', { extra: { next: attempt.next } });
    for (const [index, line] of lines.entries()) {
      const parsed = parseEventLine(line);
      if (!parsed.ok) throw new Problem('bad-request', { detail: parsed.reason });
      const { event } = parsed;
      if (event.seq !== first + index)
        throw new Problem('bad-request', { detail: `line ${index} has seq ${event.seq}` });
      if (event.seq < attempt.next) {
        attempt.repeated += 1;
        continue;
      }
      attempt.lines.push(line);
      attempt.next = (event.type === 'gap' && 'to' in event ? event.to : event.seq) + 1;
    }
    return { next: attempt.next };
  }

  #log(attempt: FakeAttempt, stream: 'stdout' | 'stderr', offset: number, bytes: Buffer): Body {
    const known = attempt.log[stream];
    if (offset > known.length) throw new Problem('log-gap', { extra: { acked: known.length } });
    attempt.log[stream] = Buffer.concat([known, bytes.subarray(known.length - offset)]);
    return { acked: attempt.log[stream].length };
  }

  #artifact(attempt: FakeAttempt, body: Body): Body {
    const artifact = body as unknown as FakeArtifact;
    const missing = artifact.files.filter((file) => !this.blobs.has(file.sha256));
    if (missing.length > 0) {
      const urls = missing.map(({ sha256 }) => ({ sha256, url: `${this.url}/blobs/${sha256}` }));
      return { recorded: false, artifact: null, missing: urls };
    }
    const same = attempt.artifacts.find((item) => item.path === artifact.path && item.sha256 === artifact.sha256);
    if (same === undefined) attempt.artifacts.push(artifact);
    return { recorded: true, artifact: artifact.sha256, missing: [] };
  }

  async #blob(request: IncomingMessage, url: URL): Promise<Buffer | null> {
    const name = url.pathname.slice('/blobs/'.length);
    if (request.method === 'GET') {
      const bytes = this.blobs.get(name);
      if (bytes === undefined) throw new Problem('not-found');
      return bytes;
    }
    if (request.headers['content-length'] === undefined) throw new Problem('bad-request', { detail: 'no length' });
    const bytes = await readBytes(request);
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (digest !== name) throw new Problem('digest-mismatch');
    this.blobs.set(name, bytes);
    return null;
  }
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
