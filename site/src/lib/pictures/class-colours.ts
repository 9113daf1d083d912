export type Rgb = readonly [number, number, number];

/** The three numbers of `#rrggbb`, for canvas and SVG alike; grey where there is none. */
export function rgbOf(colour: string | undefined): Rgb {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour ?? '');
  if (hex === null) return [128, 128, 128];
  const [, red = '', green = '', blue = ''] = hex;
  return [parseInt(red, 16), parseInt(green, 16), parseInt(blue, 16)];
}
