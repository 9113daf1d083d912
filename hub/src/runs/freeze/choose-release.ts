import { Problem } from '@trainyard/plugin-sdk';
import type { RunInput } from '@trainyard/plugin-sdk/api';
import { notFound } from '../../platform/access.ts';
import type { Principal } from '../../platform/principal.ts';
import { audienceOf, findRelease, findReleaseById, isListedFor, type ReleaseRow } from '../../trainers/find-release.ts';
import type { RunDeps } from '../deps.ts';
import type { Complaints } from './complaints.ts';
import type { ParentRow } from './read-parent.ts';

/** The release of the parent, or the one that is named. Throws 404 for what the caller may not see. */
export async function chooseRelease(
  deps: RunDeps,
  principal: Principal,
  input: RunInput,
  parent: ParentRow | null,
): Promise<ReleaseRow> {
  const release =
    parent === null ? await findNamed(deps, principal, input) : await findReleaseById(deps.db.pool, parent.release);
  if (release === null) throw notFound('trainer');
  return release;
}

async function findNamed(deps: RunDeps, principal: Principal, input: RunInput): Promise<ReleaseRow | null> {
  if (input.trainer === undefined)
    throw new Problem('bad-request', {
      detail: 'No trainer is named.',
      fix: 'Add "trainer": "owner/name".',
      errors: [{ pointer: '/trainer', code: 'required', message: 'is missing' }],
    });
  const { owner, name } = splitName(input.trainer);
  const audience = audienceOf(principal);
  const found = await findRelease(deps.db.pool, owner, name, input.version ?? null, audience);
  return found !== null && isListedFor(found, audience) ? found : null;
}

function splitName(text: string): { owner: string; name: string } {
  const [owner, name] = text.replace(/^@/, '').split('/');
  if (owner === undefined || name === undefined || name === '')
    throw new Problem('bad-request', {
      detail: `${JSON.stringify(text)} is not a trainer name.`,
      fix: 'Write owner/name.',
    });
  return { owner, name };
}

/** Pure. `fresh`: nothing of this release was trained yet, so one that was withdrawn is refused. */
export function checkRelease(release: ReleaseRow, fresh: boolean, complaints: Complaints): void {
  const label = `${release.owner}/${release.name} ${release.version}`;
  if (release.state === 'yanked' && fresh)
    throw new Problem('release-yanked', {
      detail: `${label} was withdrawn: ${release.reason ?? 'no reason given'}.`,
      fix: 'Choose another version.',
    });
  const runnable =
    release.state === 'published' || release.state === 'deprecated' || (release.state === 'yanked' && !fresh);
  if (!runnable) {
    complaints.add(
      'release-not-published',
      `${label} is ${release.state}, not published.`,
      'Open its report to see what it waits for.',
      { href: `/releases/${release.id}/report` },
    );
  }
  if (release.state === 'deprecated')
    complaints.warn('release-deprecated', `This version is deprecated: ${release.reason ?? 'use a newer one'}.`);
}
