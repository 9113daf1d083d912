import { browser } from '$app/env';

const clock = $state({ now: Date.now() });

/** The present time for words like "2 minutes ago": moves every ten seconds in the browser, read afresh on the server. */
export function present(): number {
  return browser ? clock.now : Date.now();
}

/** Started once by the root layout. Returns the way to stop. */
export function startClock(): () => void {
  clock.now = Date.now();
  const timer = setInterval(() => (clock.now = Date.now()), 10_000);
  return () => clearInterval(timer);
}
