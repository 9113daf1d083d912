import { localPath } from '#lib/server/local-path.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = ({ url }) => ({
  next: url.searchParams.has('next') ? localPath(url.searchParams.get('next')) : undefined,
});
