import { HUB_VERSION } from '@trainyard/hub';
import { checksDocument } from '@trainyard/validator/validate';
import { proofsDocument } from '../testing/proof-table.ts';
import { environmentTable } from './environment-table.ts';
import { jsonText } from './json-value.ts';
import { schemaFiles } from './json-schemas.ts';
import { openApi } from './openapi.ts';
import { problemTable } from './problem-table.ts';

/** Every committed file that code writes: path from the root of the repository → text. The same code gives the same bytes. */
export function generatedFiles(root: string): ReadonlyMap<string, string> {
  return new Map([
    ...schemaFiles(),
    ['docs/openapi.json', jsonText(openApi(HUB_VERSION))],
    ['docs/problems.md', problemTable()],
    ['docs/checks.md', checksDocument()],
    ['docs/environment.md', environmentTable(root)],
    ['docs/proofs.md', proofsDocument(root)],
  ]);
}
