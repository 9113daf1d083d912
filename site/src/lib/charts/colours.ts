/** Canvas needs plain colours, tokens are `light-dark(…)` and `color-mix(…)`: the browser resolves them on a hidden element. */
let probe: HTMLElement | undefined;
const cache = new Map<string, string>();

export function resolveColour(css: string): string {
  const known = cache.get(css);
  if (known !== undefined) return known;
  if (probe === undefined) {
    probe = document.createElement('span');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = css;
  const colour = getComputedStyle(probe).color;
  cache.set(css, colour);
  return colour;
}

/** Runs `redraw` after the theme changed (system or toggle). Returns the way to stop listening. */
export function onThemeChange(redraw: () => void): () => void {
  function changed(): void {
    cache.clear();
    redraw();
  }
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', changed);
  return () => {
    observer.disconnect();
    system.removeEventListener('change', changed);
  };
}

/** Same metric, same hue on every page: eight series tokens in order of first use on the page. */
export function seriesColour(hue: number, split: string): string {
  const token = `var(--series-${(hue % 8) + 1})`;
  return split === 'train' ? `color-mix(in oklch, ${token} 55%, transparent)` : token;
}
