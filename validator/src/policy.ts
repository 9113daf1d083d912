import type { Stage } from '@trainyard/plugin-sdk';

/** What decides the verdict beside the findings. */
export interface Policy {
  readonly id: string;
  /** Stages that may be skipped for a release without an image. */
  readonly waived: readonly Stage[];
}

const POLICIES: Readonly<Record<string, Policy>> = {
  /** An installation with neither container engine nor scanner: releases without an image run as local processes, and say so. */
  local: { id: 'local', waived: ['provenance', 'image', 'scan', 'acceptance', 'export'] },
  standard: { id: 'standard', waived: ['provenance'] },
};

/** The strictest one when the name is not known: nothing passes by a spelling mistake. */
export function policyOf(id: string): Policy {
  return POLICIES[id] ?? { id, waived: [] };
}
