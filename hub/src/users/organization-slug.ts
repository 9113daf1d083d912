/** The slug is also the npm scope of the organisation's trainers. */
export const ORGANIZATION_SLUG = /^[a-z0-9][a-z0-9-]{1,38}$/;

const RESERVED = new Set([
  'about', 'account', 'admin', 'administrator', 'api', 'app', 'assets', 'auth', 'blog', 'datasets', 'docs', 'health', 'help',
  'internal', 'keys', 'login', 'logout', 'metrics', 'new', 'null', 'official', 'registry', 'root', 'runs', 'security', 'settings',
  'setup', 'sign-in', 'sign-out', 'sign-up', 'static', 'status', 'support', 'system', 'trainer', 'trainers', 'undefined', 'user',
  'users', 'validator', 'www',
]); // prettier-ignore
const LONGEST_BASE = 34;

/** Nobody may look like the installation itself. */
export function isReservedSlug(slug: string): boolean {
  return RESERVED.has(slug) || slug.startsWith('trainyard') || slug.startsWith('xn--');
}

/** Wish for a new personal organisation, from the name, else the e-mail; the caller adds a suffix when it is taken. */
export function slugWish(name: string, email: string): string {
  for (const text of [name, email.split('@')[0] ?? '']) {
    const slug = slugOf(text);
    if (ORGANIZATION_SLUG.test(slug) && !isReservedSlug(slug)) return slug;
  }
  return 'member';
}

function slugOf(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST_BASE)
    .replace(/^-+|-+$/g, '');
}

export function withSuffix(slug: string, attempt: number): string {
  return attempt === 1 ? slug : `${slug}-${attempt}`;
}
