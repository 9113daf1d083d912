import { encodePng, Random } from '@trainyard/plugin-sdk/trainer';

const SIDE = 48;
export const SHAPES = ['washer', 'bolt', 'nut'] as const;
export type Shape = (typeof SHAPES)[number];

/** One part on a belt as PNG; the same seed gives the same bytes. */
export function paintPart(shape: Shape, seed: number): Uint8Array {
  const random = new Random(seed);
  const between = (low: number, high: number): number => low + (high - low) * random.next();
  const base = [between(60, 190), between(60, 190), between(60, 190)];
  const [x0, y0, radius, angle] = [between(19, 29), between(19, 29), between(10, 15), between(0, Math.PI)];
  const lift = between(45, 90) * (random.next() < 0.5 ? -1 : 1);
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y += 1) {
    for (let x = 0; x < SIDE; x += 1) {
      const [dx, dy] = [(x - x0) / radius, (y - y0) / radius];
      const inside = covers(
        shape,
        dx * Math.cos(angle) + dy * Math.sin(angle),
        dy * Math.cos(angle) - dx * Math.sin(angle),
      );
      for (const [channel, colour] of base.entries()) {
        const value = colour + (inside ? lift : 0) + between(-6, 6);
        pixels[(y * SIDE + x) * 3 + channel] = Math.max(0, Math.min(255, Math.round(value)));
      }
    }
  }
  return encodePng({ width: SIDE, height: SIDE, channels: 3, pixels });
}

/** In units of the radius, the part at the origin. */
function covers(shape: Shape, x: number, y: number): boolean {
  const distance = Math.hypot(x, y);
  if (shape === 'washer') return distance <= 1 && distance >= 0.62;
  if (shape === 'bolt') return (Math.abs(x) <= 1.25 && Math.abs(y) <= 0.17) || Math.hypot(x - 1, y) <= 0.42;
  const hexagon = Math.max(Math.abs(y), Math.abs(x) * 0.866 + Math.abs(y) * 0.5);
  return hexagon <= 0.866 && distance >= 0.42;
}
