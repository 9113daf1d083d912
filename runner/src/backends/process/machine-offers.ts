import { availableParallelism, totalmem } from 'node:os';
import { findPythons } from '../../environments/pythons.ts';
import type { BackendOffer } from '../backend.ts';
import { busyDevices, listAttempts } from './attempt-list.ts';
import { listGraphicsCards } from './graphics-cards.ts';

/** What this machine offers now, and why something is missing. */
export async function machineOffers(
  attempts: string,
  canBindCores: boolean,
  wallNote: string | null,
): Promise<readonly BackendOffer[]> {
  const [graphics, pythons, listed] = await Promise.all([listGraphicsCards(), findPythons(), listAttempts(attempts)]);
  const busy = busyDevices(listed);
  const devices: BackendOffer['devices'] = [{ kind: 'cpu', name: 'CPU', count: 1, uuids: [] }];
  for (const name of new Set(graphics.cards.map((card) => card.name))) {
    const free = graphics.cards.filter((card) => card.name === name && !busy.has(card.uuid));
    if (free.length > 0) devices.push({ kind: 'cuda', name, count: free.length, uuids: free.map((card) => card.uuid) });
  }
  const notes = [
    ...(wallNote === null ? [] : [wallNote]),
    ...(graphics.note === null ? [] : [graphics.note]),
    ...(busy.size === 0 ? [] : [`Graphics cards in use: ${busy.size}.`]),
    ...(pythons.length === 0 ? ['No Python 3.10 or newer was found.'] : []),
    ...(canBindCores ? [] : ['taskset was not found: trainers are not bound to their cores.']),
  ];
  const granted = process.constrainedMemory();
  return [
    {
      backend: 'process',
      wall: wallNote === null ? 'userns' : 'none',
      devices,
      cpus: availableParallelism(),
      memoryBytes: granted > 0 ? Math.min(granted, totalmem()) : totalmem(),
      pythons: pythons.map((python) => python.version),
      nodes: [process.versions.node],
      notes,
    },
  ];
}
