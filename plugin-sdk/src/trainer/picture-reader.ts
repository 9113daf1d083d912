import { readFileSync } from 'node:fs';
import { listPictures } from './dataset-folder.ts';
import { InputError } from './errors.ts';
import { decodePng, type Picture } from './png.ts';

/** What reading needs of a run. */
interface Reporter {
  safePoint(): Promise<void>;
  log(level: 'warn', message: string): void;
  warn(code: string, message: string, hint?: string): void;
}

const LOGGED = 20;

/** Decodes files one by one, in order; a stop gets through between them. Those that cannot be read are left out, counted and reported. */
export async function* readPictures<T extends { readonly path: string; readonly file: string }>(
  reporter: Reporter,
  items: readonly T[],
): AsyncGenerator<T & { picture: Picture }> {
  let skipped = 0;
  for (const item of items) {
    await reporter.safePoint();
    let picture: Picture;
    try {
      picture = decodePng(readFileSync(item.file));
    } catch (error) {
      skipped += 1;
      if (skipped <= LOGGED)
        reporter.log('warn', `${item.path}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    yield { ...item, picture };
  }
  if (skipped > 0)
    reporter.warn(
      'images_skipped',
      `${skipped} pictures could not be read and were left out.`,
      'Run validate to see which.',
    );
}

/** Pictures below the source folder of a predict job. */
export function listSource(folder: string, shown: string): string[] {
  try {
    return listPictures(folder);
  } catch (cause) {
    throw new InputError(`There is no folder of pictures at ${shown}.`, {
      hint: 'See "predict.source" in job.json.',
      cause,
    });
  }
}
