import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packTrainer } from '@trainyard/plugin-sdk/package';

/** Most bytes that a first use downloads, said before anybody clicks: the wheels of the lock for Linux x86-64, as the index gives their sizes. What another trainer brought is not fetched again. */
const DOWNLOAD_BYTES: Readonly<Record<string, number>> = {
  timm: 3_500_000_000,
  huggingface: 3_500_000_000,
  ultralytics: 4_000_000_000,
};

/** Packs the trainers of this checkout; equal files give equal packages, so a second start changes nothing. */
export async function bundleTrainers(root: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const trainers = join(root, 'trainers');
  const names = await readdir(trainers).catch(() => []);
  const sources = [
    { name: 'reference', path: join(root, 'plugin-sdk', 'reference-trainer') },
    ...names.map((name) => ({ name, path: join(trainers, name) })),
  ];
  for (const source of sources) {
    if (
      !(await stat(join(source.path, 'trainer.yaml')).then(
        () => true,
        () => false,
      ))
    )
      continue;
    const target = join(folder, `${source.name}.tgz`);
    await writeFile(`${target}.part`, await packTrainer(source.path));
    await rename(`${target}.part`, target);
    await writeFile(`${target}.size`, String(DOWNLOAD_BYTES[source.name] ?? 0));
  }
}
