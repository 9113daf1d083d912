import type { AuditCaller } from '../audit/record-audit.ts';
import type { SynthOptions } from '@trainyard/plugin-sdk/dataset';
import { addDataset, type CreatedDataset, type NewDataset } from './create-dataset.ts';
import type { DatasetDeps } from './deps.ts';
import { runWork, withWorkFolder } from './work/run-work.ts';

/** "Parts on a belt", drawn here: the same options give the same bytes on every machine. */
export async function synthSample(
  deps: DatasetDeps,
  caller: AuditCaller,
  input: NewDataset,
  options: SynthOptions,
): Promise<CreatedDataset> {
  return withWorkFolder(deps.scratch, async (folder) => {
    const drawn = await withWorkFolder(folder, async (inner) => {
      const done = await runWork(inner, { kind: 'synth', options }, []);
      if (done.kind !== 'synth')
        throw new Error(done.kind === 'failed' ? done.message : `unexpected result ${done.kind}`);
      return addDataset(deps, caller, input, { folder, files: done.files, ignored: [], readable: [], how: 'move' });
    });
    return { dataset: drawn.dataset, warnings: drawn.warnings };
  });
}
