import { defineEntity, p } from '@mikro-orm/core';

const ProjectSchema = defineEntity({
  name: 'Project',
  tableName: 'project',
  properties: {
    id: p.uuid().primary(),
    organizationId: p.text().fieldName('organization_id'),
    slug: p.text(),
    name: p.text(),
    createdAt: p.datetime().fieldName('created_at'),
  },
});

/** A folder for runs under one organisation. */
export class Project extends ProjectSchema.class {}
ProjectSchema.setClass(Project);
