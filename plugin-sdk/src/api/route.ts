import type { Static, TSchema } from 'typebox';

/**
 * One HTTP operation as a value: the hub serves it, every client calls it, OpenAPI is derived from it. The table holds no behaviour.
 * `Input` and `Output` are phantom types: they never exist at run time.
 */

/** Who may call at all. Facts about the resource (whose it is) are the use-case's matter. */
export type Access =
  /** Same reply for everybody; may enter the byte cache. */
  | 'public'
  /** Anybody may ask; what is shown depends on who asks. */
  | 'visitor'
  | 'user'
  | 'admin'
  /** Runner and validator. No audit entry per call. */
  | 'agent';

export const SCOPES = [
  'catalog:read',
  'trainers:publish',
  'trainers:manage',
  'runs:read',
  'runs:write',
  'datasets:read',
  'datasets:write',
  'exports:read',
  'exports:write',
] as const;
export type Scope = (typeof SCOPES)[number];

export interface StreamPart {
  readonly kind: 'stream';
  readonly mediaTypes: readonly string[];
  readonly maxBytes: number;
}
export interface MultipartPart {
  readonly kind: 'multipart';
  readonly maxBytes: number;
  readonly maxFiles: number;
}
export interface EventsPart<S extends TSchema = TSchema> {
  readonly kind: 'events';
  readonly schema: S;
}
/** Bytes with their media type and name; `etag` makes them cacheable for ever (they are named by digest). */
export interface ByteReply {
  readonly stream: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly mediaType: string;
  readonly bytes?: number;
  readonly fileName?: string;
  readonly etag?: string;
  readonly disposition?: 'attachment' | 'inline';
}
/** One server-sent event; `id` resumes, `type` tells what `data` is. */
export interface LiveMessage<T> {
  readonly id: string;
  readonly data: T;
}
export interface UploadedFile {
  readonly fieldName: string;
  readonly fileName: string;
  readonly stream: AsyncIterable<Uint8Array>;
}
/** Parts arrive in order; a file's stream must be read to its end before the next part is asked for. */
export interface MultipartBody {
  readonly parts: AsyncIterable<UploadedFile | { readonly fieldName: string; readonly value: string }>;
}

type StaticOr<S, Empty> = S extends TSchema ? Static<S> : Empty;
type BodyOf<B> = B extends StreamPart
  ? { readonly body: AsyncIterable<Uint8Array> }
  : B extends MultipartPart
    ? { readonly body: MultipartBody }
    : B extends TSchema
      ? { readonly body: Static<B> }
      : { readonly body?: undefined };
export type ReplyOf<R> = R extends StreamPart
  ? ByteReply
  : R extends EventsPart<infer S>
    ? AsyncIterable<LiveMessage<Static<S>>>
    : R extends TSchema
      ? Static<R>
      : undefined;

export interface RouteSpec<P, Q, B, R> {
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: `/${string}`;
  /** Key of the audit entry, `thing.verb`. */
  readonly action: string;
  readonly access: Access;
  /** Scope a token needs; absent = tokens may not call it, only sessions (and agents where access says so). */
  readonly scope?: Scope;
  readonly summary: string;
  /** A GET, or a POST that changes nothing (preflight), is not audited. */
  readonly readOnly?: boolean;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly reply?: R;
  readonly status?: 200 | 201 | 202 | 204;
}
export interface Route<Input, Output> extends RouteSpec<
  TSchema,
  TSchema,
  TSchema | StreamPart | MultipartPart,
  TSchema | StreamPart | EventsPart
> {
  readonly types?: { readonly input: Input; readonly output: Output };
}
export type InputOf<P, Q, B> = {
  readonly params: StaticOr<P, Record<string, never>>;
  readonly query: StaticOr<Q, Record<string, never>>;
} & BodyOf<B>;

export function route<
  P extends TSchema | undefined = undefined,
  Q extends TSchema | undefined = undefined,
  B extends TSchema | StreamPart | MultipartPart | undefined = undefined,
  R extends TSchema | StreamPart | EventsPart | undefined = undefined,
>(spec: RouteSpec<P, Q, B, R>): Route<InputOf<P, Q, B>, ReplyOf<R>> {
  return spec as unknown as Route<InputOf<P, Q, B>, ReplyOf<R>>;
}
export type AnyRoute = Route<never, unknown>;

export function stream(mediaTypes: readonly string[], maxBytes: number): StreamPart {
  return { kind: 'stream', mediaTypes, maxBytes };
}
export function multipart(limits: { maxBytes: number; maxFiles: number }): MultipartPart {
  return { kind: 'multipart', ...limits };
}
export function events<S extends TSchema>(schema: S): EventsPart<S> {
  return { kind: 'events', schema };
}
export function isStreamPart(part: unknown): part is StreamPart {
  return typeof part === 'object' && part !== null && Reflect.get(part, 'kind') === 'stream';
}
export function isMultipartPart(part: unknown): part is MultipartPart {
  return typeof part === 'object' && part !== null && Reflect.get(part, 'kind') === 'multipart';
}
export function isEventsPart(part: unknown): part is EventsPart {
  return typeof part === 'object' && part !== null && Reflect.get(part, 'kind') === 'events';
}
/** A route that changes something and therefore writes one audit entry. */
export function isMutating(spec: { method: string; readOnly?: boolean; access: Access }): boolean {
  return spec.method !== 'GET' && spec.readOnly !== true && spec.access !== 'agent';
}
