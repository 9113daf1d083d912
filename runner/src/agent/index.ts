export { runAgent, type AgentDeps, type AgentPlan, type Handler, type Work, type WorkEnd } from './agent.ts';
export { hubPortOver } from './hub-port.ts';
export type {
  ArtifactAnnouncement,
  ArtifactAnswer,
  AttemptKey,
  ClaimAsk,
  HubPort,
  LogStream,
  PhaseReport,
  Renewal,
  StopSignal,
} from './hub-port.ts';
export type { AttemptHub } from './attempt-hub.ts';
export { StopRequests } from './stop-requests.ts';
export { SYSTEM_CLOCK, type Clock } from './clock.ts';
export { SILENT_LOG, type Log } from './log.ts';
export { isSuperseded, untilHubAnswers } from './retry.ts';
