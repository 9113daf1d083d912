import { Type, type Static } from 'typebox';

/** Events a trainer prints, one JSON object per line of `output/events.jsonl` (contract.md §5.5). Producers are strict, consumers tolerant. */

const Envelope = { v: Type.Literal(1), seq: Type.Integer({ minimum: 1 }), ts: Type.String({ maxLength: 40 }) };
const Text = Type.String({ maxLength: 16_384 });
const Name = Type.String({ pattern: '^[a-z][a-z0-9_/.-]{0,127}$' });
const Path = Type.String({ minLength: 1, maxLength: 200 });
const Hex = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Step = Type.Integer({ minimum: 0 });

export const WARNING_CODES = [
  'batch_reduced',
  'amp_disabled',
  'nan_recovered',
  'checkpoint_skipped',
  'class_missing_in_train',
  'class_missing_in_val',
  'images_skipped',
  'labels_deduplicated',
  'workers_reduced',
  'config_ignored',
  'determinism_lost',
  'pretrained_head_replaced',
  'event_too_large',
] as const;

export const EVENT_SCHEMAS = {
  started: Type.Object({
    ...Envelope,
    type: Type.Literal('started'),
    trainer: Type.Object({ name: Type.String(), version: Type.String() }),
    contract: Type.String(),
    command: Type.String(),
    task: Type.String(),
    model: Type.String(),
    device: Type.Object({
      kind: Type.String(),
      name: Type.String(),
      count: Type.Integer({ minimum: 1 }),
      memoryBytes: Type.Optional(Type.Number()),
    }),
    versions: Type.Record(Type.String(), Type.String()),
    resumedFrom: Type.Optional(
      Type.Object({ checkpoint: Type.String(), step: Step, epoch: Type.Optional(Type.Number()) }),
    ),
  }),
  phase: Type.Object({
    ...Envelope,
    type: Type.Literal('phase'),
    name: Type.Union(
      ['prepare', 'train', 'evaluate', 'export', 'predict', 'finalize'].map((name) => Type.Literal(name)),
    ),
    state: Type.Union([Type.Literal('begin'), Type.Literal('end')]),
  }),
  progress: Type.Object({
    ...Envelope,
    type: Type.Literal('progress'),
    unit: Type.Union(['epoch', 'step', 'image', 'file'].map((unit) => Type.Literal(unit))),
    current: Type.Number(),
    total: Type.Union([Type.Number(), Type.Null()]),
    etaSeconds: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  }),
  metric: Type.Object({
    ...Envelope,
    type: Type.Literal('metric'),
    step: Step,
    epoch: Type.Optional(Type.Number()),
    split: Type.Union([Type.Literal('train'), Type.Literal('val'), Type.Literal('test')]),
    values: Type.Record(Name, Type.Union([Type.Number(), Type.Null()]), { maxProperties: 256 }),
    nonFinite: Type.Optional(Type.Array(Name)),
  }),
  checkpoint: Type.Object({
    ...Envelope,
    type: Type.Literal('checkpoint'),
    id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }),
    path: Path,
    kinds: Type.Array(Type.Union([Type.Literal('best'), Type.Literal('last'), Type.Literal('periodic')])),
    step: Step,
    epoch: Type.Optional(Type.Number()),
    bytes: Type.Integer({ minimum: 0 }),
    sha256: Hex,
    resumable: Type.Boolean(),
    format: Type.String({ maxLength: 32 }),
    metric: Type.Optional(Type.Object({ name: Name, value: Type.Union([Type.Number(), Type.Null()]) })),
  }),
  artifact: Type.Object({
    ...Envelope,
    type: Type.Literal('artifact'),
    kind: Type.Union(['plot', 'table', 'predictions', 'report', 'model', 'image'].map((kind) => Type.Literal(kind))),
    path: Path,
    mediaType: Type.String({ maxLength: 100 }),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    bytes: Type.Integer({ minimum: 0 }),
    sha256: Hex,
  }),
  log: Type.Object({
    ...Envelope,
    type: Type.Literal('log'),
    level: Type.Union(['debug', 'info', 'warn', 'error'].map((level) => Type.Literal(level))),
    message: Text,
    source: Type.Optional(Type.String({ maxLength: 100 })),
  }),
  warning: Type.Object({
    ...Envelope,
    type: Type.Literal('warning'),
    code: Type.String({ maxLength: 64 }),
    message: Text,
    hint: Type.Optional(Text),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  usage: Type.Object({
    ...Envelope,
    type: Type.Literal('usage'),
    cpuPercent: Type.Number(),
    rssBytes: Type.Number(),
    gpu: Type.Optional(
      Type.Array(
        Type.Object({
          index: Type.Integer(),
          utilPercent: Type.Number(),
          memoryBytes: Type.Number(),
          memoryTotalBytes: Type.Number(),
        }),
      ),
    ),
    throughput: Type.Optional(Type.Object({ value: Type.Number(), unit: Type.String() })),
  }),
  finished: Type.Object({
    ...Envelope,
    type: Type.Literal('finished'),
    metrics: Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()])),
    best: Type.Optional(
      Type.Union([
        Type.Null(),
        Type.Object({
          step: Step,
          checkpoint: Type.String(),
          metric: Type.Object({ name: Type.String(), value: Type.Union([Type.Number(), Type.Null()]) }),
        }),
      ]),
    ),
    seconds: Type.Number(),
  }),
  stopped: Type.Object({
    ...Envelope,
    type: Type.Literal('stopped'),
    reason: Type.Union([Type.Literal('signal'), Type.Literal('limit')]),
    checkpoint: Type.Union([Type.String(), Type.Null()]),
  }),
  failed: Type.Object({
    ...Envelope,
    type: Type.Literal('failed'),
    code: Type.String({ maxLength: 64 }),
    message: Text,
    hint: Type.Optional(Type.Union([Text, Type.Null()])),
    retryable: Type.Optional(Type.Boolean()),
    detail: Type.Optional(Type.Union([Text, Type.Null()])),
  }),
  /** Written by the agent only, for sequence numbers gone for good. */
  gap: Type.Object({
    ...Envelope,
    type: Type.Literal('gap'),
    from: Type.Integer({ minimum: 1 }),
    to: Type.Integer({ minimum: 1 }),
  }),
} as const;

export type EventType = keyof typeof EVENT_SCHEMAS;
export type TrainerEvent = { [K in EventType]: Static<(typeof EVENT_SCHEMAS)[K]> }[EventType];
/** An event of a type this version does not know, or the author's own `x-…`: stored, not interpreted. */
export interface OtherEvent {
  readonly v: 1;
  readonly seq: number;
  readonly ts: string;
  readonly type: string;
}
export type AnyEvent = TrainerEvent | (OtherEvent & { readonly other: true });

export const TERMINAL_EVENTS = ['finished', 'stopped', 'failed'] as const;
export const MAX_EVENT_BYTES = 65_536;
