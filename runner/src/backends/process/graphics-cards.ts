import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface GraphicsCard {
  readonly name: string;
  readonly uuid: string;
}

/** Lines such as `GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1f…)`; slices of a card (MIG) follow their card with an indent and count instead of it. */
export function parseCardList(text: string): readonly GraphicsCard[] {
  const cards: GraphicsCard[] = [];
  let whole: GraphicsCard | null = null;
  let sliced = false;
  const closeCard = (): void => {
    if (whole !== null && !sliced) cards.push(whole);
  };
  for (const line of text.split('\n')) {
    const match = /^(\s*)(?:GPU \d+: |MIG )(.*?)\s*(?:Device\s+\d+: )?\(UUID: ((?:GPU|MIG)-[^)]+)\)/.exec(line);
    if (match === null) continue;
    const [, indent = '', name = '', uuid = ''] = match;
    if (indent === '') {
      closeCard();
      whole = { name, uuid };
      sliced = false;
    } else {
      sliced = true;
      cards.push({ name: `${whole?.name ?? ''} MIG ${name}`.trim(), uuid });
    }
  }
  closeCard();
  return cards;
}

/** The cards of this machine, and why there are none. */
export async function listGraphicsCards(): Promise<{ cards: readonly GraphicsCard[]; note: string | null }> {
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', ['-L'], { timeout: 15_000 });
    const cards = parseCardList(stdout);
    return { cards, note: cards.length === 0 ? 'nvidia-smi lists no graphics card.' : null };
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const why = missing ? 'nvidia-smi was not found' : 'nvidia-smi did not answer';
    return { cards: [], note: `No graphics card is offered: ${why}.` };
  }
}
