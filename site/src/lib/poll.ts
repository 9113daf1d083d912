/** Calls `refresh` every `seconds` while the page is visible; stops when the returned function is called. */
export function whileVisible(seconds: number, refresh: () => void): () => void {
  const timer = setInterval(() => {
    if (document.visibilityState === 'visible') refresh();
  }, seconds * 1000);
  return () => clearInterval(timer);
}
