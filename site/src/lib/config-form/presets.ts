import type { ConfigValues } from './field-for.ts';

/** A preset as cards show it (contract.md §4.6). */
export interface ShownPreset {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly model: string | undefined;
  readonly tasks: readonly string[] | undefined;
  readonly devices: readonly string[] | undefined;
  readonly values: ConfigValues;
  readonly changes: number;
}

function words(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.map(String) : undefined;
}

/** Reads presets tolerantly: the hub has checked them, an odd one loses fields, never the page. */
export function readPresets(raw: readonly Readonly<Record<string, unknown>>[]): ShownPreset[] {
  return raw.map((preset) => {
    const values = preset['values'];
    const read: ConfigValues =
      values !== null && typeof values === 'object' ? Object.fromEntries(Object.entries(values)) : {};
    return {
      id: String(preset['id'] ?? ''),
      title: String(preset['title'] ?? preset['id'] ?? ''),
      description: String(preset['description'] ?? ''),
      model: typeof preset['model'] === 'string' ? preset['model'] : undefined,
      tasks: words(preset['tasks']),
      devices: words(preset['devices']),
      values: read,
      changes: Object.keys(read).length,
    };
  });
}

export function presetsFor(presets: readonly ShownPreset[], task: string): ShownPreset[] {
  return presets.filter((preset) => preset.tasks === undefined || preset.tasks.includes(task));
}
