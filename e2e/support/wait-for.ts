/** The machine may be busy: every deadline of these tests is stretched by this. */
const PATIENCE = Number(process.env['TRAINYARD_TEST_PATIENCE'] ?? 3);

/** Asks again and again until there is an answer; after the deadline it fails and says what it saw last. `probe` may throw: that counts as not yet. */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  seconds = 30,
): Promise<T> {
  const until = Date.now() + seconds * 1000 * PATIENCE;
  let last: unknown = 'nothing';
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== null && answer !== undefined && answer !== false) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) {
      const saw = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`Waited ${seconds * PATIENCE} s in vain: ${what}. Last seen: ${saw}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
