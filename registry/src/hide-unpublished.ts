import type { Manifest, Version } from '@verdaccio/types';
import type { VisibleVersions } from './visible-versions.ts';

/**
 * The manifest as a reader may see it: versions, their times and the tags that point to them; nothing else of a hidden
 * version, neither its number, nor when it came, nor its readme (Verdaccio keeps the readme of the newest, seen or not).
 */
export function hideUnpublished(manifest: Manifest, visible: VisibleVersions | null): Manifest {
  const shown = new Set(visible?.versions.filter((version) => Object.hasOwn(manifest.versions, version)));

  const versions: Record<string, Version> = {};
  const time: Record<string, string> = {};
  for (const [number, version] of Object.entries(manifest.versions)) {
    if (!shown.has(number)) continue;
    versions[number] = withDeprecation(version, visible?.deprecated[number]);
    const published = manifest.time?.[number];
    if (published !== undefined) time[number] = published;
  }
  const times = Object.values(time).sort();
  const [created] = times;
  const modified = times.at(-1);

  return {
    ...manifest,
    versions,
    time: {
      ...(created === undefined ? {} : { created }),
      ...(modified === undefined ? {} : { modified }),
      ...time,
    },
    'dist-tags': shownTags(manifest, shown, visible?.latest ?? null),
    readme: '',
    _attachments: {},
  };
}

function withDeprecation(version: Version, message: string | undefined): Version {
  const { deprecated: _stored, ...rest } = version;
  return message === undefined ? rest : { ...rest, deprecated: message };
}

function shownTags(manifest: Manifest, shown: ReadonlySet<string>, latest: string | null): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const [tag, version] of Object.entries(manifest['dist-tags'])) {
    if (tag !== 'latest' && shown.has(version)) tags[tag] = version;
  }
  if (latest !== null && shown.has(latest)) tags['latest'] = latest;
  return tags;
}
