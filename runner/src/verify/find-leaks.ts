import type { ExportFault } from './export-check.ts';
import { contentsOf, walkExport, type Content } from './export-walk.ts';

/** Long enough for any path; what lies across the border of two pieces is seen in the next one. */
const OVERLAP = 512;
/** Shorter words are found everywhere. */
const SHORTEST_SECRET = 4;
/** Homes of people, whoever they are, and places where Python packages are installed. */
const HOST =
  /(?:\/home\/|\/Users\/|[A-Za-z]:\\Users\\)[A-Za-z0-9._-]+|\/root\/[A-Za-z0-9._-]+|\/[A-Za-z0-9._/-]{1,300}\/(?:site|dist)-packages\//;

/**
 * Paths of the machine, names of people and places of the dataset in any file of an export, archives included (`export-clean`). `secrets`: what
 * must not be found, such as the job's folder, the dataset's name on disk, the user; words of fewer than four letters are left out. One fault per file.
 */
export async function findLeaks(folder: string, secrets: readonly string[]): Promise<ExportFault[]> {
  const wanted = secrets.filter((secret) => secret.length >= SHORTEST_SECRET);
  const faults: ExportFault[] = [];
  for (const file of (await walkExport(folder)).files) {
    for (const content of await contentsOf(folder, file)) {
      const seen = await firstLeak(content, wanted).catch(() => null);
      if (seen === null) continue;
      faults.push({
        check: 'export-clean',
        file: file.path,
        message: `${content.name} holds a path or a name of the machine that made it.`,
        evidence: seen,
        fix: 'Write the metadata of the format anew, and leave debug information out, before the file is digested.',
      });
      break;
    }
  }
  return faults;
}

async function firstLeak(content: Content, secrets: readonly string[]): Promise<string | null> {
  let rest = '';
  for await (const bytes of content.open()) {
    const text = rest + bytes.toString('latin1');
    const secret = secrets.find((word) => text.includes(Buffer.from(word).toString('latin1')));
    if (secret !== undefined) return secret;
    const home = HOST.exec(text)?.[0];
    if (home !== undefined) return home;
    rest = text.slice(-OVERLAP);
  }
  return null;
}
