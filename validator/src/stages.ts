import type { Stage } from '@trainyard/plugin-sdk';

export interface StageRow {
  readonly stage: Stage;
  /** A stage runs when everything it needs passed. Not transitive: one reading judges package, manifest and config apart. */
  readonly needs: readonly Stage[];
  /** Why it cannot run here; null when it can. */
  readonly absent: string | null;
}

/** In the order of the report. */
export const STAGE_TABLE: readonly StageRow[] = [
  { stage: 'package', needs: [], absent: null },
  { stage: 'manifest', needs: ['package'], absent: null },
  { stage: 'config', needs: ['manifest'], absent: null },
  { stage: 'provenance', needs: ['manifest'], absent: 'Signatures are not looked at yet.' },
  { stage: 'image', needs: ['manifest'], absent: 'The package names no image: it runs as a local process.' },
  { stage: 'scan', needs: ['image'], absent: 'Not scanned: there is no image, and no scanner here.' },
  { stage: 'contract', needs: ['package', 'manifest', 'config'], absent: null },
  { stage: 'acceptance', needs: ['contract'], absent: null },
  // What a trainer claims to export is looked at for every task that left a checkpoint, also when one task did not learn enough.
  { stage: 'export', needs: ['contract'], absent: null },
];
