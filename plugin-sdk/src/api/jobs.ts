import { Type, type Static } from 'typebox';
import { AttemptPhaseSchema, FileEntry, JobKindSchema, JobSpec, Offer, Outcome, StoredArtifact } from '../job-spec.ts';
import { events, route, stream } from './route.ts';
import { Id, MaybeText, Time } from './shapes.ts';

/** Traffic of agents. Every call names the attempt and its fence; a wrong fence is refused with `attempt-superseded`. */

const AttemptParams = Type.Object({ attempt: Id });
const Fence = Type.Integer({ minimum: 1 });

export const ARTIFACT_KINDS = [
  'checkpoint',
  'export',
  'metrics',
  'predictions',
  'config',
  'plot',
  'table',
  'report',
  'model',
  'image',
] as const;
export type ArtifactKind = (typeof ARTIFACT_KINDS)[number];

export const ClaimedAttempt = Type.Object({
  id: Id,
  job: Id,
  number: Type.Integer({ minimum: 1 }),
  fence: Fence,
  spec: JobSpec,
  /** Given only because all this agent offers is behind a wall. An agent that has none any more gives it back instead of starting it. */
  needsWall: Type.Boolean(),
  /** Set when another agent began it and this one takes over: look for the execution, never start it again. */
  execution: MaybeText,
  /** Newest complete resumable checkpoint of earlier attempts and jobs of the run. */
  resume: Type.Union([Type.Null(), StoredArtifact]),
  /** For evaluate … of predict: signed addresses by digest. */
  inputs: Type.Array(Type.Object({ sha256: Type.String(), bytes: Type.Integer(), url: Type.String() })),
  /** Signed address of the snapshot as .tar.gz with dataset.json first. */
  snapshotUrl: MaybeText,
});
export type ClaimedAttempt = Static<typeof ClaimedAttempt>;

export const claimJobs = route({
  id: 'claimJobs',
  method: 'POST',
  path: '/api/v1/jobs/claim',
  action: 'job.claim',
  access: 'agent',
  summary: 'Take work; waits up to `waitSeconds` for some',
  body: Type.Object({
    agent: Type.String({ minLength: 1, maxLength: 64 }),
    kinds: Type.Array(JobKindSchema),
    offers: Type.Array(Offer, { maxItems: 16 }),
    slots: Type.Integer({ minimum: 0, maximum: 100 }),
    waitSeconds: Type.Number({ minimum: 0, maximum: 25 }),
    /** Names of environments (package digests) that are ready here. */
    ready: Type.Array(Type.String({ maxLength: 80 }), { maxItems: 1000 }),
  }),
  reply: Type.Object({ attempts: Type.Array(ClaimedAttempt) }),
});
export const StopAsked = Type.Object({
  what: Type.Union([Type.Literal('cancel'), Type.Literal('pause'), Type.Literal('drain')]),
  grace: Type.Integer(),
});
export type StopAsked = Static<typeof StopAsked>;
export const renewLeases = route({
  id: 'renewLeases',
  method: 'POST',
  path: '/api/v1/leases/renew',
  action: 'job.renew',
  access: 'agent',
  summary: 'One call for all attempts of an agent',
  body: Type.Object({
    agent: Type.String({ maxLength: 64 }),
    attempts: Type.Array(Type.Object({ attempt: Id, fence: Fence }), { maxItems: 1000 }),
  }),
  reply: Type.Object({
    attempts: Type.Array(
      Type.Object({
        attempt: Id,
        answer: Type.Union([Type.Literal('ok'), Type.Literal('gone'), Type.Literal('stop')]),
        stop: Type.Optional(StopAsked),
      }),
    ),
  }),
});
/** Stop requests as they come; renewal stays the truth. */
export const streamSignals = route({
  id: 'streamSignals',
  method: 'GET',
  path: '/api/v1/agents/:agent/signals',
  action: 'job.signals',
  access: 'agent',
  summary: 'Stop requests for this agent',
  params: Type.Object({ agent: Type.String({ maxLength: 64 }) }),
  reply: events(Type.Object({ attempt: Id, stop: StopAsked })),
});
export const beginAttempt = route({
  id: 'beginAttempt',
  method: 'POST',
  path: '/api/v1/attempts/:attempt/begin',
  action: 'attempt.begin',
  access: 'agent',
  summary: 'Say who carries the attempt out; a second execution is refused',
  params: AttemptParams,
  body: Type.Object({ fence: Fence, execution: Type.String({ minLength: 1, maxLength: 200 }) }),
  status: 204,
});
export const reportPhase = route({
  id: 'reportPhase',
  method: 'POST',
  path: '/api/v1/attempts/:attempt/phase',
  action: 'attempt.phase',
  access: 'agent',
  summary: 'Phase and one sentence for people; the last one wins',
  params: AttemptParams,
  body: Type.Object({
    fence: Fence,
    phase: AttemptPhaseSchema,
    sentence: Type.Optional(Type.String({ maxLength: 500 })),
    progress: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Stages and findings of a validation that is under way. */
    stages: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 20 })),
    findings: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 500 })),
  }),
  status: 204,
});
export const reportEvents = route({
  id: 'reportEvents',
  method: 'POST',
  path: '/api/v1/attempts/:attempt/events',
  action: 'attempt.events',
  access: 'agent',
  summary: 'Event lines from `firstSeq` on, without holes; known ones are dropped, answered after the commit',
  params: AttemptParams,
  body: Type.Object({
    fence: Fence,
    firstSeq: Type.Integer({ minimum: 1 }),
    lines: Type.Array(Type.String({ maxLength: 70_000 }), { maxItems: 5000 }),
  }),
  reply: Type.Object({ next: Type.Integer() }),
});
export const reportLog = route({
  id: 'reportLog',
  method: 'POST',
  path: '/api/v1/attempts/:attempt/log',
  action: 'attempt.log',
  access: 'agent',
  summary: 'Bytes of stdout or stderr at an offset; known ones are dropped',
  params: AttemptParams,
  query: Type.Object({
    fence: Fence,
    stream: Type.Union([Type.Literal('stdout'), Type.Literal('stderr')]),
    offset: Type.Integer({ minimum: 0 }),
  }),
  body: stream(['application/octet-stream'], 4 * 1024 * 1024),
  reply: Type.Object({ acked: Type.Integer() }),
});
export const registerArtifact = route({
  id: 'registerArtifact',
  method: 'POST',
  path: '/api/v1/attempts/:attempt/artifacts',
  action: 'attempt.artifact',
  access: 'agent',
  summary:
    'Announce files by digest: answers where to put missing ones, or that all are there and the artifact is recorded',
  params: AttemptParams,
  body: Type.Object({
    fence: Fence,
    kind: Type.Unsafe<ArtifactKind>(Type.Union(ARTIFACT_KINDS.map((kind) => Type.Literal(kind)))),
    path: Type.String({ minLength: 1, maxLength: 512 }),
    mediaType: Type.String({ maxLength: 100 }),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    files: Type.Array(FileEntry, { minItems: 1, maxItems: 1000 }),
    /** Fields of the event that announced it (checkpoint: id, step, epoch, kinds, metric, format, resumable), or parity of an export. */
    meta: Type.Record(Type.String(), Type.Unknown()),
  }),
  reply: Type.Object({
    recorded: Type.Boolean(),
    artifact: MaybeText,
    missing: Type.Array(Type.Object({ sha256: Type.String(), url: Type.String() })),
  }),
});
export const finishAttempt = route({
  id: 'finishAttempt',
  method: 'POST',
  path: '/api/v1/attempts/:attempt/finish',
  action: 'attempt.finish',
  access: 'agent',
  summary: 'The outcome; the same fence twice is the same answer',
  params: AttemptParams,
  body: Type.Object({ fence: Fence, outcome: Outcome }),
  status: 204,
});
export const listAgents = route({
  id: 'listAgents',
  method: 'GET',
  path: '/api/v1/agents',
  action: 'agent.read',
  access: 'admin',
  summary: 'Runners and validators, and the queue',
  reply: Type.Object({
    agents: Type.Array(
      Type.Object({
        id: Type.String(),
        kinds: Type.Array(Type.String()),
        state: Type.String(),
        lastSeenAt: Time,
        slots: Type.Integer(),
        busy: Type.Integer(),
        offers: Type.Array(Offer),
      }),
    ),
    jobs: Type.Array(
      Type.Object({
        id: Id,
        kind: Type.String(),
        state: Type.String(),
        subject: Type.String(),
        sentence: Type.String(),
        createdAt: Time,
      }),
    ),
  }),
});
