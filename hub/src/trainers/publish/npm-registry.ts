import { Problem } from '@trainyard/plugin-sdk';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import type { TrainerDeps } from '../deps.ts';
import type { ReleaseRow } from '../find-release.ts';

/** Where the registry keeps a package: scope and name in one encoded segment. */
export function registryPath(owner: string, name: string): string {
  return `/@${owner}%2f${name}`;
}

/**
 * Puts the bytes of a release into the registry. 409 means that an earlier try of ours wrote it: only the hub writes there, and only once the digest of a
 * number is fixed.
 */
export async function writeToRegistry(
  deps: Pick<TrainerDeps, 'registry' | 'blobs'>,
  release: ReleaseRow & { package_sha512: string },
): Promise<void> {
  const name = `@${release.owner}/${release.name}`;
  const integrity = release.package_sha512;
  const file = `${name}-${release.version}.tgz`;
  const bytes = await buffer(Readable.from(await deps.blobs.read('packages', release.package_digest.slice(7))));
  const manifest = {
    name,
    version: release.version,
    description: release.summary,
    license: release.license,
    keywords: ['trainyard-trainer', ...release.tasks],
    dist: { integrity, tarball: `${deps.registry.url}/${name}/-/${release.name}-${release.version}.tgz` },
  };
  const response = await fetch(`${deps.registry.url}${registryPath(release.owner, release.name)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${deps.registry.secret}` },
    body: JSON.stringify({
      _id: name,
      name,
      description: release.summary,
      'dist-tags': { latest: release.version },
      versions: { [release.version]: manifest },
      _attachments: {
        [file]: { content_type: 'application/octet-stream', data: bytes.toString('base64'), length: bytes.length },
      },
    }),
  });
  await response.body?.cancel();
  if (response.ok || response.status === 409) return;
  throw new Problem('unavailable', {
    detail: `The registry answered ${response.status} to the release.`,
    fix: 'It is tried again by itself.',
  });
}
