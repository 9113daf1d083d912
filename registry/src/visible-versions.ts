/** What the hub shows of one package at this moment. */
export interface VisibleVersions {
  readonly versions: readonly string[];
  readonly latest: string | null;
  /** Version → message. These versions stay visible. */
  readonly deprecated: Readonly<Record<string, string>>;
}

/**
 * Asks the hub what may be seen. Answers are kept for two seconds, so a release that was just published or yanked shows
 * up that much later at most; concurrent questions about one package share one request. Never throws: the hub saying
 * 404, saying something else or not answering all mean null, nothing visible. A failure is not kept.
 */
export type AskVisible = (packageName: string) => Promise<VisibleVersions | null>;

interface Hub {
  readonly hubUrl: string;
  readonly secret: string;
}

const keptForMs = 2_000;
const hubMustAnswerWithinMs = 5_000;
const keptPackages = 2_000;

export function askHub({ hubUrl, secret }: Hub): AskVisible {
  const kept = new Map<string, { readonly until: number; readonly answer: Promise<VisibleVersions | null> }>();

  return (packageName) => {
    const known = kept.get(packageName);
    if (known !== undefined && known.until > performance.now()) return known.answer;
    if (kept.size >= keptPackages) kept.clear();
    // Asked twice: a kept-alive connection that the hub has just closed must not make a published package vanish.
    const answer = ask(packageName)
      .catch(() => ask(packageName))
      .catch(() => {
        kept.delete(packageName);
        return null;
      });
    kept.set(packageName, { until: performance.now() + keptForMs, answer });
    return answer;
  };

  async function ask(packageName: string): Promise<VisibleVersions | null> {
    const url = new URL('/internal/npm/visible', hubUrl);
    url.searchParams.set('name', packageName);
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${secret}` },
      signal: AbortSignal.timeout(hubMustAnswerWithinMs),
      redirect: 'error',
    });
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`the hub answered ${response.status}`);
    return parseVisible(await response.json());
  }
}

/** Anything that is not exactly the agreed shape is an error, hence "nothing visible". */
export function parseVisible(answer: unknown): VisibleVersions {
  if (typeof answer !== 'object' || answer === null) throw new TypeError('not an object');
  const { versions, latest, deprecated } = { versions: null, latest: null, deprecated: {}, ...answer } as Record<
    'versions' | 'latest' | 'deprecated',
    unknown
  >;
  if (!Array.isArray(versions) || !versions.every((version) => typeof version === 'string')) {
    throw new TypeError('versions is not a list of strings');
  }
  if (latest !== null && typeof latest !== 'string') throw new TypeError('latest is neither a string nor null');
  if (typeof deprecated !== 'object' || deprecated === null) throw new TypeError('deprecated is not an object');
  const messages = Object.entries(deprecated).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return { versions, latest, deprecated: Object.fromEntries(messages) };
}
