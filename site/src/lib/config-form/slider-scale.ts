/** Position 0…1000 of a slider ⇄ value, on a linear, logarithmic or power-of-two scale. */
export interface SliderRange {
  readonly minimum: number;
  readonly maximum: number;
  readonly scale: 'linear' | 'log' | 'pow2';
  readonly integer: boolean;
  readonly step: number | undefined;
}
export const POSITIONS = 1000;

function floorOf(range: SliderRange): number {
  // An exclusive minimum of 0 has no logarithm: six decades below the maximum are enough.
  return range.minimum > 0 ? range.minimum : range.maximum / 1e6;
}

export function valueAt(position: number, range: SliderRange): number {
  const share = position / POSITIONS;
  if (range.scale === 'linear') {
    const raw = range.minimum + share * (range.maximum - range.minimum);
    const step = range.step ?? (range.integer ? 1 : undefined);
    return clean(step === undefined ? raw : range.minimum + Math.round((raw - range.minimum) / step) * step, range);
  }
  const low = Math.log2(floorOf(range));
  const high = Math.log2(range.maximum);
  const power = low + share * (high - low);
  return clean(range.scale === 'pow2' ? 2 ** Math.round(power) : 2 ** power, range);
}

export function positionOf(value: number, range: SliderRange): number {
  if (range.scale === 'linear')
    return Math.round(((value - range.minimum) / (range.maximum - range.minimum)) * POSITIONS);
  const low = Math.log2(floorOf(range));
  const high = Math.log2(range.maximum);
  return Math.round(((Math.log2(Math.max(value, floorOf(range))) - low) / (high - low)) * POSITIONS);
}

/** Two significant digits on a log scale, no binary dust, inside the range. */
function clean(value: number, range: SliderRange): number {
  const rounded = range.integer ? Math.round(value) : Number(value.toPrecision(range.scale === 'log' ? 2 : 6));
  return Math.min(
    range.maximum,
    Math.max(range.minimum > 0 || range.scale === 'linear' ? range.minimum : floorOf(range), rounded),
  );
}
