import { Type, type Static, type TSchema } from 'typebox';

/** Shapes that several rooms of the API share. Times are RFC 3339 UTC, sizes bytes, durations seconds, ids opaque. */

export const Id = Type.String({ minLength: 1, maxLength: 64 });
export const Time = Type.String();
export const MaybeTime = Type.Union([Type.String(), Type.Null()]);
export const MaybeText = Type.Union([Type.String(), Type.Null()]);
export const MaybeNumber = Type.Union([Type.Number(), Type.Null()]);
export const OwnerParam = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{1,38}$' });
export const NameParam = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{1,62}$' });
export const TrainerParams = Type.Object({ owner: OwnerParam, name: NameParam });
export const ReleaseParams = Type.Object({
  owner: OwnerParam,
  name: NameParam,
  version: Type.String({ maxLength: 64 }),
});
export const ReleaseIdParams = Type.Object({ release: Id });
export const RunParams = Type.Object({ run: Id });
export const DatasetParams = Type.Object({ dataset: Id });
export const PageQuery = {
  cursor: Type.Optional(Type.String({ maxLength: 512 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
};
export const Json = Type.Record(Type.String(), Type.Unknown());

export function page<S extends TSchema>(item: S) {
  return Type.Object({ items: Type.Array(item), next: MaybeText });
}

export const FindingShape = Type.Object({
  check: Type.String(),
  severity: Type.Union([Type.Literal('error'), Type.Literal('warning'), Type.Literal('recommendation')]),
  where: Type.Optional(
    Type.Object({
      file: Type.Optional(Type.String()),
      line: Type.Optional(Type.Integer()),
      pointer: Type.Optional(Type.String()),
      event: Type.Optional(Type.Integer()),
    }),
  ),
  message: Type.String(),
  evidence: Type.Optional(Type.String()),
  fix: Type.String(),
});
export const StageShape = Type.Object({
  stage: Type.String(),
  state: Type.Union(['waiting', 'running', 'passed', 'failed', 'skipped', 'error'].map((state) => Type.Literal(state))),
  seconds: Type.Number(),
  reason: Type.Optional(Type.String()),
  checks: Type.Array(Type.String()),
});
export const TaskProofShape = Type.Object({
  task: Type.String(),
  model: Type.String(),
  level: Type.String(),
  primary: Type.Optional(
    Type.Object({ name: Type.String(), reported: MaybeNumber, recomputed: MaybeNumber, floor: Type.Number() }),
  ),
  seconds: Type.Number(),
  reason: Type.Optional(Type.String()),
});
export const ClaimProofShape = Type.Object({
  claim: Type.String(),
  value: Type.String(),
  task: Type.Optional(Type.String()),
  precision: Type.Optional(Type.String()),
  state: Type.String(),
  runtime: Type.Optional(Type.String()),
  figures: Type.Optional(Type.Record(Type.String(), Type.Number())),
  reason: Type.Optional(Type.String()),
  seconds: Type.Optional(Type.Number()),
});
export const ReportShape = Type.Object({
  verdict: Type.String(),
  level: Type.String(),
  policy: Type.String(),
  platform: Type.String(),
  packageDigest: Type.String(),
  stages: Type.Array(StageShape),
  findings: Type.Array(FindingShape),
  /** Absent in reports made before acceptance was measured. */
  tasks: Type.Optional(Type.Array(TaskProofShape)),
  claims: Type.Optional(Type.Array(ClaimProofShape)),
});
export type ReportShape = Static<typeof ReportShape>;

/** Why something waits: a code for machines, a sentence for people. */
export const WaitReason = Type.Object({ code: Type.String(), sentence: Type.String(), since: MaybeTime });
export type WaitReason = Static<typeof WaitReason>;
