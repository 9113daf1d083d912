/** Pure: a curve as Braille dots, two by four per character. */
export interface Curve {
  readonly title: string;
  readonly points: readonly (readonly [step: number, value: number])[];
}

const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

function shown(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : value.toPrecision(4);
}

export function drawCurve(curve: Curve, width: number, height: number): string[] {
  const last = curve.points.at(-1);
  if (last === undefined) return [`${curve.title}  waiting for the first point`];
  const values = curve.points.map((point) => point[1]);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const firstStep = curve.points[0]?.[0] ?? 0;
  const span = Math.max(1, last[0] - firstStep);
  const columns = width * 2;
  const rows = height * 4;
  const cells = Array.from({ length: height }, () => Array.from({ length: width }, () => 0));
  let before: [number, number] | null = null;
  function set(x: number, y: number): void {
    const row = cells[Math.floor(y / 4)];
    const column = Math.floor(x / 2);
    if (row?.[column] !== undefined) row[column] |= DOTS[x % 2 === 0 ? 0 : 1][y % 4] ?? 0;
  }
  for (const [step, value] of curve.points) {
    const x = Math.round(((step - firstStep) / span) * (columns - 1));
    const y = Math.round((1 - (high === low ? 0.5 : (value - low) / (high - low))) * (rows - 1));
    if (before === null) set(x, y);
    else {
      const length = Math.max(Math.abs(x - before[0]), Math.abs(y - before[1]), 1);
      for (let i = 0; i <= length; i++)
        set(
          Math.round(before[0] + ((x - before[0]) * i) / length),
          Math.round(before[1] + ((y - before[1]) * i) / length),
        );
    }
    before = [x, y];
  }
  const label = Math.max(shown(low).length, shown(high).length);
  return [
    `${curve.title}  ${shown(last[1])} at step ${last[0]}`,
    ...cells.map(
      (row, i) =>
        `${(i === 0 ? shown(high) : i === height - 1 ? shown(low) : '').padStart(label)} ${row.map((cell) => String.fromCodePoint(0x2800 + cell)).join('')}`,
    ),
  ];
}
