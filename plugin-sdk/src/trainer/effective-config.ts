import type { JsonObject } from './json-value.ts';

export type EffectiveSource = 'user' | 'preset' | 'default' | 'auto' | 'overridden' | 'ignored';

export interface EffectiveEntry {
  readonly requested: unknown;
  readonly effective: unknown;
  readonly target: string;
  readonly source: EffectiveSource;
  readonly note?: string;
}

export interface EffectiveDetails {
  /** Name of the argument the value went to. */
  readonly target?: string;
  /** Needed when the value is not the one requested: auto, overridden or ignored. */
  readonly source?: EffectiveSource;
  readonly note?: string;
}

/** Collects what became of every config key. */
export class EffectiveConfig {
  readonly #config: JsonObject;
  readonly #defaults: JsonObject;
  readonly #entries = new Map<string, EffectiveEntry>();

  constructor(config: JsonObject, defaults: JsonObject) {
    this.#config = config;
    this.#defaults = defaults;
  }

  set(key: string, effective: unknown, details: EffectiveDetails = {}): void {
    if (!Object.hasOwn(this.#config, key)) throw new TypeError(`"${key}" is not a config key of this run`);
    const requested = this.#config[key];
    const kept = JSON.stringify(requested) === JSON.stringify(effective);
    const asked = JSON.stringify(requested) === JSON.stringify(this.#defaults[key]) ? 'default' : 'user';
    const source = details.source ?? (kept ? asked : 'overridden');
    const note =
      details.note ??
      (source === 'overridden' || source === 'auto' || source === 'ignored'
        ? `The trainer uses ${JSON.stringify(effective)}.`
        : undefined);
    this.#entries.set(key, {
      requested,
      effective,
      target: details.target ?? key,
      source,
      ...(note === undefined ? {} : { note }),
    });
  }

  /** Keys nobody spoke about. */
  get silent(): string[] {
    return Object.keys(this.#config).filter((key) => !this.#entries.has(key));
  }

  document(): { schema: string; values: Record<string, EffectiveEntry> } {
    const values: Record<string, EffectiveEntry> = {};
    for (const key of Object.keys(this.#config)) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) values[key] = entry;
    }
    return { schema: 'config.effective@1', values };
  }
}
