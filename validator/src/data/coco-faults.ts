import { naming, type DatasetFault } from './dataset-fault.ts';
import { withFiles, type TestData } from './test-data.ts';

type Entry = Record<string, unknown>;
interface Coco {
  images: Entry[];
  annotations: Entry[];
  categories: Entry[];
}

/** Faults of an annotation file, one at a time: all of them name the same file. It has one entry on each line. */
export function COCO_FAULTS(data: TestData): DatasetFault[] {
  const path = data.file.splits['train']?.annotations ?? 'annotations/train.json';
  const put = (change: (coco: Coco) => void) => {
    return (into: TestData): TestData => {
      // Written by synthDataset, so the shape is known.
      const coco = JSON.parse(Buffer.from(into.files.get(path) ?? '{}').toString('utf8')) as Coco;
      change(coco);
      const parts = Object.entries(coco).map(
        ([key, list]: [string, Entry[]]) => `"${key}":[\n${list.map((entry) => JSON.stringify(entry)).join(',\n')}\n]`,
      );
      return withFiles(into, { [path]: `{${parts.join(',\n')}}\n` });
    };
  };
  const names = naming(path);
  const annotation = (name: string, at: number, says: string, edit: (entry: Entry) => void): DatasetFault => ({
    name,
    names,
    alone: true,
    says: `${says} (${path})`,
    put: put((coco) => {
      const entry = coco.annotations[at];
      if (entry !== undefined) edit(entry);
    }),
  });
  const faults: DatasetFault[] = [
    annotation('label-index', 2, 'an annotation of the category 99, which is not listed', (entry) => {
      entry['category_id'] = 99;
    }),
    annotation('coordinate-range', 4, 'a box that begins at -40', (entry) => {
      const [, y, w, h] = Array.isArray(entry['bbox']) ? entry['bbox'] : [];
      entry['bbox'] = [-40, y, w, h];
    }),
    {
      name: 'category-unknown',
      names: /bearing/,
      says: `the category "bearing", which is no class (${path})`,
      put: put((coco) => coco.categories.push({ id: 77, name: 'bearing' })),
    },
    {
      name: 'duplicate-row',
      names,
      alone: true,
      says: `the same annotation twice (${path})`,
      put: put((coco) => coco.annotations.push({ ...coco.annotations[6], id: 9001 })),
    },
  ];
  if (data.file.task === 'pose') {
    faults.push(
      annotation('keypoint-count', 8, 'one keypoint too many', (entry) => {
        entry['keypoints'] = [...(Array.isArray(entry['keypoints']) ? entry['keypoints'] : []), 10, 10, 2];
      }),
    );
  }
  return faults;
}
