import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderMarkdown } from './markdown.ts';

test('raw HTML, scripts and handlers are gone; text stays', async () => {
  const html = await renderMarkdown(
    'Hello <script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n[x](javascript:alert(1)) **bold**',
  );
  assert.ok(!/script|onerror|javascript/i.test(html), html);
  assert.match(html, /<strong>bold<\/strong>/);
});

test('pictures of other hosts become links, those of the package come from the release', async () => {
  const html = await renderMarkdown(
    '![far](https://example.org/a.png) ![near](./docs/b.png)',
    (path) => `/file?path=${path}`,
  );
  assert.ok(!html.includes('src="https:'), html);
  assert.match(html, /<a href="https:\/\/example.org\/a.png" rel="nofollow noopener noreferrer">far<\/a>/);
  assert.match(html, /src="\/file\?path=docs\/b.png"/);
});

test('a first heading steps everything down, so that the page keeps a single one; tables are kept', async () => {
  const html = await renderMarkdown('# Title\n\n| a | b |\n| - | - |\n| 1 | 2 |');
  assert.match(html, /<h2>Title<\/h2>/);
  assert.match(html, /<table>/);
  assert.match(await renderMarkdown('## Part'), /<h2>Part/);
});
