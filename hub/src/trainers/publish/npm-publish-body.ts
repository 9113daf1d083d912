import { Problem } from '@trainyard/plugin-sdk';

/** What a PUT of the npm client carries: one version and its tarball. */
export interface NpmPublish {
  readonly name: string;
  readonly version: string;
  readonly tarball: Buffer;
}

function bad(detail: string): Problem {
  return new Problem('bad-request', { detail, fix: 'Publish with the npm client: npm publish <package>.tgz' });
}

/** Reads the body of `npm publish`. Only the tarball counts afterwards: name and version are what it is expected to hold. */
export function parseNpmPublish(packageName: string, text: string): NpmPublish {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw bad('The body is not JSON.');
  }
  if (body === null || typeof body !== 'object') throw bad('The body is not an object.');
  const attachments: unknown = Reflect.get(body, '_attachments');
  const versions: unknown = Reflect.get(body, 'versions');
  if (attachments === null || typeof attachments !== 'object' || Object.keys(attachments).length === 0) {
    throw new Problem('forbidden', {
      detail: 'Only new versions are taken here.',
      fix: 'Deprecate and yank on the page of the trainer.',
    });
  }
  const [version, more] = versions !== null && typeof versions === 'object' ? Object.keys(versions) : [];
  const [attachment] = Object.values(attachments);
  const data: unknown =
    attachment !== null && typeof attachment === 'object' ? Reflect.get(attachment, 'data') : undefined;
  if (version === undefined || more !== undefined || typeof data !== 'string')
    throw bad('Exactly one version with its tarball is expected.');
  if (Reflect.get(body, 'name') !== packageName) throw bad('The name in the body differs from the address.');
  return { name: packageName, version, tarball: Buffer.from(data, 'base64') };
}
