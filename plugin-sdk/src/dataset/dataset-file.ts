import { Type, type Static } from 'typebox';

/** dataset.json (contract.md §6.1): what a trainer is told about its data. */
export const DatasetFile = Type.Object({
  schema: Type.Literal('dataset@1'),
  name: Type.String(),
  task: Type.String(),
  format: Type.String(),
  digest: Type.String(),
  snapshot: Type.String(),
  /** The class order: index 0..n-1. Never the order of folders. */
  classes: Type.Array(
    Type.Object({
      index: Type.Integer({ minimum: 0 }),
      name: Type.String(),
      dir: Type.Optional(Type.String()),
      color: Type.Optional(Type.String()),
    }),
  ),
  /** Pose only. */
  keypoints: Type.Optional(
    Type.Object({
      names: Type.Array(Type.String()),
      skeleton: Type.Optional(Type.Array(Type.Array(Type.Integer({ minimum: 0 }), { minItems: 2, maxItems: 2 }))),
      /** Identity when the points have no left and right. */
      flipIndex: Type.Array(Type.Integer({ minimum: 0 })),
      sigmas: Type.Optional(Type.Array(Type.Number({ exclusiveMinimum: 0 }))),
    }),
  ),
  splits: Type.Record(
    Type.String(),
    Type.Object({
      images: Type.String(),
      annotations: Type.Optional(Type.String()),
      list: Type.String(),
      count: Type.Integer({ minimum: 0 }),
    }),
  ),
  license: Type.Optional(Type.String()),
});
export type DatasetFile = Static<typeof DatasetFile>;
