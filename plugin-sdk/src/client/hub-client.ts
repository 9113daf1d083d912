import { isEventsPart, isMultipartPart, isStreamPart, type ByteReply, type Route } from '../api/route.ts';
import { Problem, problemFromDocument, type ProblemDocument } from '../problem.ts';
import { readEventStream } from './sse.ts';

export interface HubClientOptions {
  readonly url: string;
  readonly token?: string;
  /** Header fields of every call, such as the forwarded cookie of a visitor. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: typeof fetch;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly idempotencyKey?: string;
  readonly lastEventId?: string;
  /** Media type of a stream body; the first one of the route when absent. */
  readonly mediaType?: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit | null;
  readonly signal?: AbortSignal;
}

type RequestParts = { readonly params?: unknown; readonly query?: unknown; readonly body?: unknown };

function fillPath(path: string, params: unknown): string {
  return path.replace(/:([a-zA-Z]+)/g, (_, name: string) => {
    const value: unknown = params !== null && typeof params === 'object' ? Reflect.get(params, name) : undefined;
    return encodeURIComponent(String(value));
  });
}

function queryText(query: unknown): string {
  if (query === null || typeof query !== 'object') return '';
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  if (pairs.length === 0) return '';
  return `?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString()}`;
}

async function toProblem(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const document: unknown = JSON.parse(text);
    if (document !== null && typeof document === 'object' && 'code' in document)
      return problemFromDocument(document as ProblemDocument);
  } catch {
    // Not ours: a proxy in between answered.
  }
  const code = response.status === 401 ? 'not-authenticated' : response.status === 404 ? 'not-found' : 'unavailable';
  return new Problem(code, { detail: `${response.status} ${response.statusText}: ${text.slice(0, 200)}` });
}

function fileNameOf(disposition: string | null): string | undefined {
  return /filename="([^"]+)"/.exec(disposition ?? '')?.[1];
}

/** Calls any route of the table. Failures arrive as `Problem`; a hub that cannot be reached is `unavailable`. Safe for concurrent use. */
export class HubClient {
  readonly #options: HubClientOptions;

  constructor(options: HubClientOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  /** Raw request against the hub with the client's credentials (signed addresses, files). */
  async request(path: string, init: RawRequest = {}): Promise<Response> {
    const send = this.#options.fetch ?? fetch;
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(this.#options.headers ?? {})) headers.set(name, value);
    if (this.#options.token !== undefined) headers.set('authorization', `Bearer ${this.#options.token}`);
    try {
      return await send(new URL(path, this.#options.url), {
        ...init,
        headers,
        ...(init.body == null ? {} : { duplex: 'half' }),
      } as RequestInit);
    } catch (error) {
      if (init.signal?.aborted === true) throw error;
      throw new Problem('unavailable', {
        detail: `The hub at ${this.#options.url} does not answer`,
        fix: 'Is it running? Start it with `npm start`.',
        cause: error,
      });
    }
  }

  async call<Input, Output>(
    route: Route<Input, Output>,
    input: Partial<Input> & RequestParts,
    options: CallOptions = {},
  ): Promise<Output> {
    const headers: Record<string, string> = {};
    let body: BodyInit | null = null;
    if (isStreamPart(route.body)) {
      headers['content-type'] = options.mediaType ?? route.body.mediaTypes[0] ?? 'application/octet-stream';
      body = input.body as unknown as BodyInit;
    } else if (isMultipartPart(route.body)) {
      body = input.body as FormData;
    } else if (route.body !== undefined) {
      headers['content-type'] = 'application/json';
      body = JSON.stringify(input.body);
    }
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
    if (options.lastEventId !== undefined) headers['last-event-id'] = options.lastEventId;
    const response = await this.request(fillPath(route.path, input.params) + queryText(input.query), {
      method: route.method,
      headers,
      ...(body === null ? {} : { body }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (!response.ok) throw await toProblem(response);
    return (await this.#read(route, response)) as Output;
  }

  async #read(route: Route<unknown, unknown>, response: Response): Promise<unknown> {
    if (isEventsPart(route.reply)) return readEventStream(response.body ?? (async function* () {})());
    if (isStreamPart(route.reply)) {
      const length = response.headers.get('content-length');
      const name = fileNameOf(response.headers.get('content-disposition'));
      const reply: ByteReply = {
        stream: response.body ?? new ReadableStream<Uint8Array>({ start: (controller) => controller.close() }),
        mediaType: response.headers.get('content-type') ?? 'application/octet-stream',
        ...(length === null ? {} : { bytes: Number(length) }),
        ...(name === undefined ? {} : { fileName: name }),
      };
      return reply;
    }
    if (route.reply === undefined || response.status === 204) {
      await response.body?.cancel();
      return undefined;
    }
    return response.json();
  }
}
