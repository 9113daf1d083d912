import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import { Project } from './projects/project.entity.ts';

/** Every entity of the hub, one line each: the ORM looks nowhere else. */
export const entities: readonly (EntitySchema | EntityClass<object>)[] = [Project];
