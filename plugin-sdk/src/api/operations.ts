import { Type } from 'typebox';
import { route } from './route.ts';
import { Id, Json, MaybeText, page, PageQuery, Time } from './shapes.ts';

export const AuditEntry = Type.Object({
  id: Id,
  at: Time,
  actor: Type.String(),
  action: Type.String(),
  subject: Type.String(),
  changes: Json,
  requestId: MaybeText,
});
export const searchAudit = route({
  id: 'searchAudit',
  method: 'GET',
  path: '/api/v1/audit',
  action: 'audit.read',
  access: 'admin',
  summary: 'Who changed what, newest first',
  query: Type.Object({
    action: Type.Optional(Type.String({ maxLength: 64 })),
    subject: Type.Optional(Type.String({ maxLength: 128 })),
    ...PageQuery,
  }),
  reply: page(AuditEntry),
});
export const ProjectShape = Type.Object({
  id: Id,
  slug: Type.String(),
  name: Type.String(),
  organization: Type.String(),
  createdAt: Time,
});
export const listProjects = route({
  id: 'listProjects',
  method: 'GET',
  path: '/api/v1/projects',
  action: 'project.read',
  access: 'user',
  scope: 'runs:read',
  summary: 'Projects of the own organisation',
  reply: page(ProjectShape),
});
export const createProject = route({
  id: 'createProject',
  method: 'POST',
  path: '/api/v1/projects',
  action: 'project.created',
  access: 'user',
  scope: 'runs:write',
  summary: 'Make a project',
  body: Type.Object({ name: Type.String({ minLength: 2, maxLength: 80 }) }),
  reply: ProjectShape,
  status: 201,
});
export const getHealth = route({
  id: 'getHealth',
  method: 'GET',
  path: '/healthz',
  action: 'health.read',
  access: 'public',
  scope: 'catalog:read',
  summary: 'Alive',
  reply: Type.Object({ ok: Type.Boolean(), version: Type.String() }),
});
export const getReadiness = route({
  id: 'getReadiness',
  method: 'GET',
  path: '/readyz',
  action: 'health.read',
  access: 'visitor',
  scope: 'catalog:read',
  summary: 'Ready to serve',
  reply: Type.Object({ ok: Type.Boolean() }),
});
