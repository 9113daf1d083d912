import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const DRIVER = '/proc/driver/nvidia/gpus';

/** Pure: the card's id and number out of a driver's information file; null when one is missing. */
export function parseCardInformation(text: string): { uuid: string; minor: number } | null {
  const uuid = /^GPU UUID:\s+(GPU-\S+)/m.exec(text)?.[1];
  const minor = /^Device Minor:\s+(\d+)/m.exec(text)?.[1];
  return uuid === undefined || minor === undefined ? null : { uuid, minor: Number(minor) };
}

/** Device files of granted cards: those of the driver, and of the cards themselves. All cards' where one cannot be told (slices of a card). */
export async function graphicsDevices(uuids: readonly string[]): Promise<readonly string[]> {
  if (uuids.length === 0) return [];
  const files = (await readdir('/dev')).filter((name) => name.startsWith('nvidia')).map((name) => join('/dev', name));
  const cards = await Promise.all(
    (await readdir(DRIVER).catch(() => [])).map(async (name) =>
      parseCardInformation(await readFile(join(DRIVER, name, 'information'), 'utf8').catch(() => '')),
    ),
  );
  const minors = uuids.map((uuid) => cards.find((card) => card?.uuid === uuid)?.minor);
  if (minors.includes(undefined)) return files;
  return files.filter((file) => {
    const number = /^\/dev\/nvidia(\d+)$/.exec(file)?.[1];
    return number === undefined || minors.includes(Number(number));
  });
}
