import { Type, type Static, type TObject, type TProperties } from 'typebox';
import { MODEL_ID, VERBS } from '../vocabulary.ts';

/** trainer.yaml, contract.md §3. Keys beginning with `x-` are allowed everywhere and mean nothing to us. */
function shape<P extends TProperties>(properties: P): TObject<P> {
  return Type.Object(properties, { additionalProperties: false, patternProperties: { '^x-': {} } });
}

const Text = (maxLength: number, minLength = 1) => Type.String({ minLength, maxLength });
const HttpsUrl = Type.String({ pattern: '^https://[^\\s<>"]{1,500}$' });
const PackagePath = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^/\\\\][^\\\\]*$' });
const Sha256 = Type.String({ pattern: '^(sha256:)?[0-9a-f]{64}$' });
const Quantity = Type.Union([
  Type.Number({ exclusiveMinimum: 0 }),
  Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$' }),
]);
const Names = (maxItems: number) => Type.Array(Text(64), { minItems: 1, maxItems, uniqueItems: true });
const Argv = Type.Array(Text(1000), { minItems: 1, maxItems: 64 });
const words = <const W extends readonly string[]>(list: W) => Type.Enum(list);

export const ResourcesShape = shape({
  cpu: Type.Optional(Quantity),
  memory: Type.Optional(Quantity),
  shm: Type.Optional(Quantity),
  disk: Type.Optional(Quantity),
  gpu: Type.Optional(Quantity),
  gpuMemory: Type.Optional(Quantity),
});

export const ImageVariantShape = shape({
  id: Text(64),
  ref: Text(300),
  platforms: Names(8),
  needs: Type.Optional(
    shape({
      gpu: Type.Optional(words(['none', 'nvidia'])),
      driver: Type.Optional(Text(64)),
      compute: Type.Optional(Text(64)),
      gpuMemory: Type.Optional(Quantity),
    }),
  ),
});

export const LocalShape = shape({
  requires: shape({ python: Type.Optional(Text(64)), node: Type.Optional(Text(64)) }),
  setup: Type.Optional(Argv),
  env: Type.Optional(
    Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$' }), Type.String({ maxLength: 1000 })),
  ),
});

const DeclaredMetric = Type.Union([
  Text(128),
  shape({
    name: Text(128),
    direction: Type.Optional(words(['max', 'min'])),
    unit: Type.Optional(Text(12)),
    title: Type.Optional(Text(60)),
  }),
]);

export const TaskClaimShape = shape({
  id: Text(64),
  datasets: Names(16),
  metrics: shape({
    primary: Text(128),
    direction: words(['max', 'min']),
    declared: Type.Array(DeclaredMetric, { minItems: 1, maxItems: 100 }),
  }),
  predictions: Text(64),
});

export const WeightsShape = shape({
  id: Text(64),
  title: Type.Optional(Text(60)),
  source: words(['bundled', 'mirror']),
  url: Type.Optional(HttpsUrl),
  // Optional here, demanded by the check weights-licence, whose finding says what to add.
  sha256: Type.Optional(Sha256),
  bytes: Type.Optional(Type.Integer({ minimum: 1 })),
  license: Type.Optional(Text(200)),
  tasks: Type.Optional(Names(16)),
});

export const ModelClaimShape = shape({
  id: Type.Optional(Type.String({ pattern: MODEL_ID.source })),
  pattern: Type.Optional(Text(256)),
  source: Type.Optional(words(['describe'])),
  title: Type.Optional(Text(80)),
  family: Type.Optional(Text(64)),
  tasks: Names(16),
  params: Type.Optional(Type.Number({ minimum: 0 })),
  flops: Type.Optional(Type.Number({ minimum: 0 })),
  input: Type.Optional(
    shape({
      default: Type.Integer({ minimum: 1, maximum: 16_384 }),
      min: Type.Integer({ minimum: 1, maximum: 16_384 }),
      max: Type.Integer({ minimum: 1, maximum: 16_384 }),
      step: Type.Integer({ minimum: 1, maximum: 1024 }),
      channels: Type.Optional(Type.Integer({ minimum: 1, maximum: 3 })),
    }),
  ),
  weights: Type.Optional(Type.Array(WeightsShape, { maxItems: 50 })),
  exports: Type.Optional(Type.Array(Text(64), { maxItems: 32, uniqueItems: true })),
  probe: Type.Optional(Type.Boolean()),
  status: Type.Optional(words(['active', 'deprecated', 'obsolete'])),
  needs: Type.Optional(shape({ gpuMemory: Type.Optional(Quantity) })),
  benchmarks: Type.Optional(
    Type.Array(
      shape({
        dataset: Text(100),
        metric: Text(128),
        value: Type.Number(),
        size: Type.Optional(Type.Number()),
        hardware: Type.Optional(Text(100)),
        source: Text(300),
      }),
      { maxItems: 50 },
    ),
  ),
});

export const ExportClaimShape = shape({
  format: Text(64),
  tasks: Type.Optional(Names(16)),
  models: Type.Optional(Names(500)),
  precisions: Type.Array(Text(16), { minItems: 1, maxItems: 8, uniqueItems: true }),
  dynamic: Type.Optional(Type.Array(words(['batch', 'size']), { maxItems: 2, uniqueItems: true })),
  needs: Type.Optional(
    shape({
      device: Type.Optional(words(['cpu', 'cuda'])),
      os: Type.Optional(words(['linux', 'macos'])),
      sameGpuClass: Type.Optional(Type.Boolean()),
    }),
  ),
  wrappers: Type.Optional(Type.Array(words(['python', 'cpp', 'ts']), { maxItems: 3, uniqueItems: true })),
  parity: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Unknown())),
  options: Type.Optional(Text(128)),
});

export const CapabilitiesShape = shape({
  commands: Type.Array(words(VERBS), { minItems: 1, maxItems: VERBS.length, uniqueItems: true }),
  resume: words(['none', 'epoch', 'step']),
  stop: words(['none', 'checkpoint']),
  distributed: Type.Optional(
    shape({ mode: words(['none', 'ddp']), maxNodes: Type.Optional(Type.Integer({ minimum: 1, maximum: 1 })) }),
  ),
  precision: Type.Optional(Type.Array(words(['fp32', 'amp-fp16', 'amp-bf16']), { maxItems: 3, uniqueItems: true })),
  devices: Type.Array(words(['cpu', 'cuda']), { minItems: 1, maxItems: 2, uniqueItems: true }),
  determinism: words(['none', 'seeded', 'bitwise']),
});

export const ManifestShape = shape({
  apiVersion: words(['trainer/v1']),
  contract: Text(64),
  name: Text(110),
  version: Text(64),
  title: Text(60, 3),
  summary: Text(140, 10),
  license: Text(200),
  notices: Type.Optional(
    Type.Array(
      shape({
        component: Text(100),
        license: Text(200),
        url: Type.Optional(HttpsUrl),
        appliesTo: words(['code', 'weights', 'exports']),
      }),
      { maxItems: 50 },
    ),
  ),
  authors: Type.Array(shape({ name: Text(100), email: Type.Optional(Text(200)), url: Type.Optional(HttpsUrl) }), {
    minItems: 1,
    maxItems: 10,
  }),
  homepage: Type.Optional(HttpsUrl),
  repository: Type.Optional(HttpsUrl),
  bugs: Type.Optional(HttpsUrl),
  keywords: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{1,29}$' }), { maxItems: 20 })),
  icon: Type.Optional(PackagePath),
  changelog: Type.Optional(PackagePath),
  framework: shape({ name: Text(64), version: Text(64) }),
  image: Type.Optional(
    shape({
      user: Type.Optional(Type.Integer({ minimum: 1 })),
      variants: Type.Array(ImageVariantShape, { minItems: 1, maxItems: 16 }),
    }),
  ),
  entrypoint: Argv,
  local: Type.Optional(LocalShape),
  resources: Type.Optional(
    shape({
      min: Type.Optional(ResourcesShape),
      recommended: Type.Optional(ResourcesShape),
      grace: Type.Optional(Type.Integer({ minimum: 10, maximum: 600 })),
    }),
  ),
  config: shape({ schema: PackagePath, presets: PackagePath }),
  guide: Type.Optional(PackagePath),
  tasks: Type.Array(TaskClaimShape, { minItems: 1, maxItems: 16 }),
  models: Type.Array(ModelClaimShape, { minItems: 1, maxItems: 2000 }),
  exports: Type.Optional(Type.Array(ExportClaimShape, { maxItems: 32 })),
  capabilities: CapabilitiesShape,
});

export type Manifest = Static<typeof ManifestShape>;
export type TaskClaim = Static<typeof TaskClaimShape>;
export type ModelClaim = Static<typeof ModelClaimShape>;
export type ExportClaim = Static<typeof ExportClaimShape>;
export type WeightsClaim = Static<typeof WeightsShape>;
export type ImageVariant = Static<typeof ImageVariantShape>;
export type LocalClaim = Static<typeof LocalShape>;
export type Resources = Static<typeof ResourcesShape>;
