import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { EXPORT_FORMATS, PRECISIONS } from '../vocabulary.ts';

/** metadata.json beside every exported model: schema `export/v1` (contract.md §8.2). */

const Text = Type.String({ maxLength: 1024 });
const NullableText = Type.Union([Text, Type.Null()]);
const Digest = Type.Union([Type.String({ pattern: '^(sha256:)?[0-9a-f]{64}$' }), Type.Null()]);
/** A path inside the export folder. */
const InnerPath = Type.String({
  minLength: 1,
  maxLength: 512,
  pattern: '^(?!/)(?!.*(^|/)\\.\\.(/|$))[^\\\\\\u0000]+$',
});
const Dimension = Type.Union([Type.Integer(), Type.String({ minLength: 1, maxLength: 64 })]);
const Shape = Type.Array(Dimension, { maxItems: 16 });
const Operation = Type.Object({ op: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: true });

export const ExportTensor = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 256 }),
  dtype: Type.String({ minLength: 1, maxLength: 32 }),
  shape: Shape,
});

export const ExportVerification = Type.Object({
  by: Type.Union([Type.Literal('trainer'), Type.Literal('hub')]),
  runtime: Text,
  device: Text,
  inputs: Type.Integer({ minimum: 0 }),
  outputs: Type.Array(
    Type.Object({
      name: Text,
      maxAbs: Type.Number(),
      meanAbs: Type.Number(),
      tolerance: Type.Union([Type.Number(), Type.Null()]),
    }),
    { maxItems: 64 },
  ),
  taskAgreement: Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()]),
  passed: Type.Boolean(),
});
export type ExportVerification = Static<typeof ExportVerification>;

export const ExportMetadata = Type.Object({
  schema: Type.Literal('export/v1'),
  createdAt: Type.String({ maxLength: 40 }),
  model: Type.Object({
    task: Type.String({ minLength: 1, maxLength: 64 }),
    family: Type.Optional(NullableText),
    id: Type.String({ minLength: 1, maxLength: 64 }),
    trainer: Text,
    imageDigest: Type.Optional(Digest),
    jobId: Type.Optional(NullableText),
    checkpointSha256: Type.Optional(Digest),
    datasetDigest: Type.Optional(Digest),
    configDigest: Type.Optional(Digest),
    metrics: Type.Optional(Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()]))),
  }),
  artifact: Type.Object({
    format: Type.Union([
      ...EXPORT_FORMATS.map((format) => Type.Literal(format)),
      Type.String({ pattern: '^x-[a-z0-9-]{1,62}$' }),
    ]),
    precision: Type.Union(PRECISIONS.map((precision) => Type.Literal(precision))),
    opset: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
    dynamic: Type.Array(Type.Union([Type.Literal('batch'), Type.Literal('size')]), { maxItems: 2 }),
    files: Type.Array(
      Type.Object({
        path: InnerPath,
        bytes: Type.Integer({ minimum: 0 }),
        sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      }),
      { minItems: 1, maxItems: 1000 },
    ),
  }),
  inputs: Type.Array(Type.Object({ ...ExportTensor.properties, layout: Type.Optional(Text) }), {
    minItems: 1,
    maxItems: 64,
  }),
  outputs: Type.Array(
    Type.Object({
      ...ExportTensor.properties,
      semantics: Type.String({ minLength: 1, maxLength: 64 }),
      background: Type.Optional(Type.Boolean()),
      activation: Type.Optional(Type.Union([Type.Literal('sigmoid'), Type.Literal('softmax')])),
    }),
    { minItems: 1, maxItems: 64 },
  ),
  preprocess: Type.Array(Operation, { maxItems: 32 }),
  postprocess: Type.Array(Operation, { maxItems: 32 }),
  labels: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 100_000 }),
  verification: Type.Optional(Type.Union([ExportVerification, Type.Null()])),
  /** Why `verification` is null: nothing that could run the file was at hand. */
  verificationReason: Type.Optional(NullableText),
  license: Text,
  notices: Type.Array(Type.Unknown(), { maxItems: 50 }),
});
export type ExportMetadata = Static<typeof ExportMetadata>;

const VALIDATOR = Compile(ExportMetadata);

export type ParsedMetadata =
  | { readonly ok: true; readonly metadata: ExportMetadata }
  /** JSON pointer and what is wrong there. */
  | { readonly ok: false; readonly pointer: string; readonly reason: string };

/** Never throws. Unknown keys are kept out of the type but do not make a document wrong. */
export function parseExportMetadata(text: string): ParsedMetadata {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, pointer: '', reason: 'is not JSON' };
  }
  if (VALIDATOR.Check(value)) return { ok: true, metadata: value };
  const first = VALIDATOR.Errors(value)[0];
  return { ok: false, pointer: first?.instancePath ?? '', reason: first?.message ?? 'has the wrong shape' };
}
