/** "Parts on a belt": a small licence-free dataset for each task, drawn from a seed. */
import { snapshotDigest, sha256 } from '../../digest.ts';
import { TASKS, type DatasetFormat, type TaskId } from '../../vocabulary.ts';
import { converterOf } from '../convert-label.ts';
import type { DatasetFile } from '../dataset-file.ts';
import { boundsOf } from '../geometry.ts';
import { encodePng8 } from '../index-png.ts';
import type { DatasetHeader, Item, Label } from '../labelled-item.ts';
import { outlinesOf } from '../raster.ts';
import { writeItems } from '../read-dataset.ts';
import { sinkToMap } from '../writing.ts';
import { Draws } from './draws.ts';
import { cornersOfPart, toPicture, type Part } from './part-shapes.ts';
import { drawScene, type Scene, type SceneObject } from './scene.ts';

/** As COCO's of hips and ankles (0.107, 0.089). Half of that leaves a loss that follows OKS without a slope until a point is nearly right. */
const SIGMAS: readonly number[] = [0.1, 0.1];

export interface SynthOptions {
  readonly task: TaskId;
  /** The first format of the task when left out. */
  readonly format?: DatasetFormat;
  readonly seed: number;
  /** Pictures in each split. */
  readonly train: number;
  readonly val: number;
  /** Side of a scene in pixels, 160 when left out; pictures to classify are crops of 0.4 of it. */
  readonly size?: number;
}

/** Not alphabetical for odd seeds, so that nobody gets the order right by luck. */
function partOrder(seed: number): readonly Part[] {
  return seed % 2 === 0 ? ['bolt', 'nut', 'washer'] : ['washer', 'bolt', 'nut'];
}

/** Points exist on bolts only, so poses have that one class; the other parts lie there unlabelled. */
function classNames(task: TaskId, seed: number): readonly string[] {
  if (task === 'pose') return ['bolt'];
  return task === 'semantic' ? ['background', ...partOrder(seed)] : partOrder(seed);
}

/** The same options give the same bytes on every host. All files by path, dataset.json among them. */
export async function synthDataset(
  options: SynthOptions,
): Promise<{ files: Map<string, Uint8Array>; file: DatasetFile }> {
  const { task, seed } = options;
  const format = options.format ?? TASKS[task].datasets[0];
  const names = classNames(task, seed);
  const classes = names.map((name, index) => ({ index, name, ...(task === 'classify' ? { dir: name } : {}) }));
  if (converterOf({ task, format, classes }, { task, format }) === null)
    throw new Error(`There are no parts on a belt for ${task} as ${format}.`);
  const header: DatasetHeader = {
    name: 'parts-on-a-belt',
    task,
    format,
    classes,
    license: 'CC0-1.0',
    ...(task === 'pose'
      ? { keypoints: { names: ['head', 'tip'], skeleton: [[0, 1]], flipIndex: [0, 1], sigmas: [...SIGMAS] } }
      : {}),
  };
  const files = new Map<string, Uint8Array>();
  const drawn = new Map<string, Uint8Array>();
  const sink = sinkToMap(files, { read: (path) => Promise.resolve(drawn.get(path) ?? null) });
  function* items(): Generator<Item> {
    for (const split of ['train', 'val'] as const) {
      for (let at = 0; at < options[split]; at += 1) {
        const { item, png } = drawItem(options, names, split, at);
        drawn.clear();
        drawn.set(item.image, png);
        yield item;
      }
    }
  }
  const written = await writeItems(sink, header, items());
  const listed = [...files].filter(([path]) => path !== 'dataset.json');
  const digest = snapshotDigest(listed.map(([path, bytes]) => ({ path, sha256: sha256(bytes), bytes: bytes.length })));
  // Once more, now that the digest of the files is known.
  const file: DatasetFile = { ...written, digest, snapshot: `synth-${task}-${seed}` };
  files.set('dataset.json', new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`));
  return { files, file };
}

function drawItem(
  { task, seed, size = 160 }: SynthOptions,
  names: readonly string[],
  split: string,
  at: number,
): { item: Item; png: Uint8Array } {
  const image = `${String(at + 1).padStart(4, '0')}.png`;
  // One scene for all tasks: only what is asked about it differs. Parts take turns, so that none is missing from a small set.
  const turn: readonly Part[] = task === 'pose' ? ['bolt'] : ['bolt', 'nut', 'washer'];
  const first = turn[at % turn.length] ?? 'bolt';
  if (task === 'classify') {
    const draws = new Draws(`classify/${seed}/${split}/${at}`);
    const scene = drawScene(draws, size, { first, most: 1 });
    const side = Math.round(size * 0.4);
    const data = cropAround(scene, draws, side);
    const labels: Label[] = [{ kind: 'class', class: names.indexOf(first) }];
    return {
      item: { image, width: side, height: side, split, labels },
      png: encodePng8({ width: side, height: side, channels: 3, data }),
    };
  }
  const scene = drawScene(new Draws(`scene/${seed}/${split}/${at}`), size, { first, most: 4 });
  return {
    item: { image, width: size, height: size, split, labels: labelsOf(task, scene, names) },
    png: encodePng8({ width: size, height: size, channels: 3, data: scene.pixels }),
  };
}

function labelsOf(task: TaskId, scene: Scene, names: readonly string[]): Label[] {
  if (task !== 'semantic') return scene.objects.flatMap((object) => labelOf(task, object, names) ?? []);
  const data = new Uint8Array(scene.side * scene.side);
  for (const { placed, mask } of scene.objects)
    mask.data.forEach((inside, i) => {
      if (inside === 1) data[i] = names.indexOf(placed.part);
    });
  return [{ kind: 'mask', mask: { width: scene.side, height: scene.side, data } }];
}

function labelOf(task: TaskId, { placed, mask }: SceneObject, names: readonly string[]): Label | null {
  const index = names.indexOf(placed.part);
  const rings = outlinesOf(mask);
  if (index < 0 || rings.length === 0) return null;
  const box = boundsOf(rings.flat());
  if (task === 'segment') return { kind: 'polygon', class: index, rings };
  if (task === 'obb') return { kind: 'obb', class: index, corners: cornersOfPart(placed) };
  if (task !== 'pose') return { kind: 'box', class: index, box };
  const [head, tip] = [toPicture(placed, [1.25, 0]), toPicture(placed, [-1.25, 0])];
  return {
    kind: 'keypoints',
    class: index,
    box,
    points: [
      [...head, 2],
      [...tip, 2],
    ],
  };
}

/** A square around the only part, a little off its middle, scaled with two weights each way. */
function cropAround({ side: from, pixels, objects }: Scene, draws: Draws, side: number): Uint8Array<ArrayBuffer> {
  const placed = objects[0]?.placed;
  const half = 1.9 * (placed?.radius ?? from / 4);
  const jitter = from * 0.0375;
  const left = (placed?.centre[0] ?? 0) - half + draws.uniform(-jitter, jitter);
  const top = (placed?.centre[1] ?? 0) - half + draws.uniform(-jitter, jitter);
  const out = new Uint8Array(side * side * 3);
  function pixel(x: number, y: number, channel: number): number {
    const [cx, cy] = [Math.min(from - 1, Math.max(0, x)), Math.min(from - 1, Math.max(0, y))];
    return pixels[(cy * from + cx) * 3 + channel] ?? 0;
  }
  for (let y = 0; y < side; y += 1) {
    const sy = top + ((y + 0.5) * 2 * half) / side - 0.5;
    const [y0, fy] = [Math.floor(sy), sy - Math.floor(sy)];
    for (let x = 0; x < side; x += 1) {
      const sx = left + ((x + 0.5) * 2 * half) / side - 0.5;
      const [x0, fx] = [Math.floor(sx), sx - Math.floor(sx)];
      for (let channel = 0; channel < 3; channel += 1) {
        const above = pixel(x0, y0, channel) * (1 - fx) + pixel(x0 + 1, y0, channel) * fx;
        const below = pixel(x0, y0 + 1, channel) * (1 - fx) + pixel(x0 + 1, y0 + 1, channel) * fx;
        out[(y * side + x) * 3 + channel] = Math.round(above * (1 - fy) + below * fy);
      }
    }
  }
  return out;
}
