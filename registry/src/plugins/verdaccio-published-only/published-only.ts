import type { Manifest } from '@verdaccio/types';
import { hideUnpublished } from '../../hide-unpublished.ts';
import type { RegistryPluginConfig } from '../../registry-plugins.ts';

/** Verdaccio's filter, asked for every manifest and every tarball: what the hub does not show is not there. */
export default class PublishedOnly {
  readonly #config: RegistryPluginConfig;

  constructor(config: RegistryPluginConfig) {
    this.#config = config;
    config.trainyard.registered.add('published-only');
  }

  /** Must never throw: Verdaccio answers with the unfiltered manifest when a filter fails. */
  async filter_metadata(manifest: Manifest): Promise<Manifest> {
    const visible = await this.#config.trainyard.askVisible(manifest.name);
    try {
      return hideUnpublished(manifest, visible);
    } catch {
      return { ...manifest, versions: {}, time: {}, 'dist-tags': {}, readme: '', _attachments: {} };
    }
  }
}
