import { newId } from '@trainyard/plugin-sdk';
import * as api from '@trainyard/plugin-sdk/api';
import type { FastifyInstance } from 'fastify';
import { callerOf, recordAudit, type AuditCaller } from '../audit/record-audit.ts';
import { requireUser } from '../platform/access.ts';
import type { Database } from '../platform/database.ts';
import type { Principal } from '../platform/principal.ts';
import { serve, type ServeDeps } from '../platform/serve.ts';
import { inTransaction } from '../platform/transaction.ts';
import { Project } from './project.entity.ts';

type Shape = NonNullable<(typeof api.createProject)['types']>['output'];

function toProject(project: Project): Shape {
  return {
    id: project.id,
    slug: project.slug,
    name: project.name,
    organization: project.organizationId,
    createdAt: project.createdAt.toISOString(),
  };
}

export async function listProjects(
  deps: { db: Database },
  principal: Principal,
): Promise<{ items: Shape[]; next: null }> {
  const user = requireUser(principal);
  const projects = await deps.db.orm.em
    .fork()
    .find(Project, { organizationId: user.organizationId }, { orderBy: { createdAt: 'asc' } });
  return { items: projects.map(toProject), next: null };
}

/** The slug follows the name; a second project of the same name gets a number. */
export async function createProject(
  deps: { db: Database },
  caller: AuditCaller,
  input: { name: string },
): Promise<Shape> {
  const user = requireUser(caller.principal);
  const stem =
    input.name
      .toLowerCase()
      .normalize('NFKD')
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 40) || 'project';
  return inTransaction(deps.db, async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`project ${user.organizationId}`]);
    const taken = new Set(
      (await tx.em.find(Project, { organizationId: user.organizationId })).map((project) => project.slug),
    );
    let slug = stem;
    for (let number = 2; taken.has(slug); number++) slug = `${stem}-${number}`;
    const project = tx.em.create(Project, {
      id: newId(),
      organizationId: user.organizationId,
      slug,
      name: input.name,
      createdAt: new Date(),
    });
    await tx.em.flush();
    await recordAudit(tx, caller, 'project.created', project.id, { name: input.name });
    return toProject(project);
  });
}

export function projectRoutes(app: FastifyInstance, deps: ServeDeps & { readonly db: Database }): void {
  serve(app, deps, api.listProjects, (_input, { principal }) => listProjects(deps, principal));
  serve(app, deps, api.createProject, ({ body }, context) => createProject(deps, callerOf(context), body));
}
