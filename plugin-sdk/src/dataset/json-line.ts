/** Pure: on which line the n-th entry of a top-level list of a JSON text begins. The text is valid JSON. 0 = not found. */
export function lineOfEntry(text: string, list: string, index: number): number {
  let depth = 0;
  let line = 1;
  let inList = false;
  let entries = -1;
  let waiting = false;
  let lastText = '';
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at] ?? '';
    if (sign === '\n') line += 1;
    if (/[\s:]/.test(sign)) continue;
    if (waiting && sign !== ']') {
      waiting = false;
      entries += 1;
      if (entries === index) return line;
    }
    if (sign === '"') {
      const end = endOfText(text, at);
      lastText = text.slice(at + 1, end);
      at = end;
    } else if (sign === '{' || sign === '[') {
      depth += 1;
      if (depth === 2 && sign === '[' && lastText === list) [inList, waiting] = [true, true];
    } else if (sign === '}' || sign === ']') {
      depth -= 1;
      if (depth === 1) inList = false;
    } else if (sign === ',' && depth === 2 && inList) waiting = true;
  }
  return 0;
}

function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
