import type { AskVisible } from './visible-versions.ts';

/** The plugins of this registry, each in its folder `plugins/verdaccio-<name>`. All must register or nothing starts. */
export const registryPlugins = ['hub-only', 'published-only'] as const;

export type RegistryPlugin = (typeof registryPlugins)[number];

/** What reaches a plugin's constructor under its own name in Verdaccio's configuration. */
export interface RegistryPluginConfig {
  readonly trainyard: {
    readonly secret: string;
    readonly askVisible: AskVisible;
    readonly registered: { add(plugin: RegistryPlugin): void };
  };
}
