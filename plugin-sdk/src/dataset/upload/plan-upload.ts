import { likelyFormat, detectFormat } from '../detect-format.ts';
import type { DatasetSource } from '../dataset-source.ts';
import { KIND_TASKS } from '../convert-label.ts';
import { TASKS, type DatasetFormat, type TaskId } from '../../vocabulary.ts';
import { planBeside } from './plan-beside.ts';
import { planCoco } from './plan-coco.ts';
import { planFolders } from './plan-folders.ts';
import { planWritten } from './plan-written.ts';
import { splitWord } from './split-words.ts';
import type { Recognised, UploadedFiles, UploadPlan } from './upload-plan.ts';

export interface UploadWish {
  /** Empty: the name in the upload's own dataset.json. */
  readonly name: string;
  /** What the person said; it wins over what was recognised. */
  readonly task?: TaskId;
  readonly format?: DatasetFormat;
}
export type Planned = UploadPlan | { readonly because: string; readonly fix: string };

/** Recognises an upload in any of the seven formats and says where each file goes. Opens texts; pictures only to tell equal ones apart. */
export async function planUpload(paths: readonly string[], source: DatasetSource, wish: UploadWish): Promise<Planned> {
  const files = withoutRoot(paths, source);
  const written = await planWritten(files, wish, wish.name);
  if (written !== null) return written;
  const guess = await recognise(files, wish);
  if (guess.format === null) return guess;
  if (!fits(guess.task, guess.format))
    return {
      because: `${guess.format} cannot hold labels for ${guess.task}`,
      fix: `Choose ${TASKS[guess.task].datasets.join(' or ')}, or another task.`,
    };
  if (guess.format === 'imagefolder@1') return planFolders(files, guess, wish.name);
  return guess.format === 'coco@1' ? planCoco(files, guess, wish.name) : planBeside(files, guess, wish.name);
}

function fits(task: TaskId, format: DatasetFormat): boolean {
  const formats: readonly DatasetFormat[] = TASKS[task].datasets;
  return formats.includes(format);
}

async function recognise(
  files: UploadedFiles,
  { task, format }: UploadWish,
): Promise<Recognised | { format: null; because: string; fix: string }> {
  const found = await detectFormat(files.paths, (path) => files.text(path));
  const likely = found.format === null ? await likelyFormat(files.paths, (path) => files.text(path)) : found;
  const wanted =
    format ?? (task === undefined || likely?.format === 'coco@1' ? undefined : formatFor(task, likely?.format));
  if (wanted === undefined && likely === null && found.format === null) return found;
  const base: Recognised = likely ?? {
    format: 'imagefolder@1',
    task: 'classify',
    because: found.because,
    classes: null,
    keypoints: null,
  };
  if (wanted === undefined || wanted === base.format) return { ...base, task: task ?? base.task };
  const kept = fits(base.task, wanted) ? base.task : 'detect';
  return { ...base, format: wanted, task: task ?? KIND_TASKS[wanted] ?? kept, because: 'you said so' };
}

/** Only the task was said: the format of that task, unless what was found is one of them. */
function formatFor(task: TaskId, found: DatasetFormat | undefined): DatasetFormat | undefined {
  const formats: readonly DatasetFormat[] = TASKS[task].datasets;
  return found !== undefined && formats.includes(found) ? found : formats[0];
}

function isNoise(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX' || part === 'Thumbs.db');
}

const KNOWN = /^(images|labels|masks|annotations)$/i;
const MARK = /^(dataset\.json|data\.ya?ml|classes\.txt)$/i;

/** Takes off folders that only wrap the dataset, as archives have them. A class folder is no wrapper. */
function withoutRoot(all: readonly string[], source: DatasetSource): UploadedFiles {
  let paths = all.filter((path) => !isNoise(path));
  let root = '';
  for (;;) {
    const top = paths[0]?.split('/')[0] ?? '';
    const below = paths.map((path) => path.split('/').slice(1));
    const wraps = below.every((parts) => parts.length > 0) && paths.every((path) => path.startsWith(`${top}/`));
    const isWord = KNOWN.test(top) || splitWord(top) !== null;
    const inside = below.some(
      (parts) => MARK.test(parts[0] ?? '') || parts.slice(0, -1).some((part) => KNOWN.test(part)),
    );
    if (!wraps || isWord || !inside) break;
    root += `${top}/`;
    paths = below.map((parts) => parts.join('/'));
  }
  const bytes = (path: string): Promise<Uint8Array | null> => source.read(`${root}${path}`);
  return {
    paths,
    root,
    bytes,
    text: async (path) => {
      const found = await bytes(path);
      return found === null ? null : new TextDecoder().decode(found);
    },
    digest: (path) => source.digest(`${root}${path}`),
  };
}
