/** Eight colours that are told apart also by people who see fewer; boxes, outlines and masks of a class have the same one everywhere. */
const COLOURS = ['#2f6fde', '#d9730d', '#0f9d76', '#c2388f', '#8a63d2', '#b88a00', '#d14343', '#3aa0c9'] as const;

/** `#rrggbb`; the dataset's own colour where it names one. */
export function classColour(index: number, own?: string): string {
  if (own !== undefined && /^#[0-9a-f]{6}$/i.test(own)) return own;
  return COLOURS[index % COLOURS.length] ?? COLOURS[0];
}
