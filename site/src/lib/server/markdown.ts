import rehypeSanitize, { defaultSchema } from 'rehype-sanitize';
import rehypeStringify from 'rehype-stringify';
import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import remarkRehype from 'remark-rehype';
import { unified } from 'unified';

/** The few fields of a syntax tree that are touched here. */
interface Tree {
  type: string;
  tagName?: string;
  properties?: Record<string, unknown>;
  value?: string;
  children?: Tree[];
}

const MAX_TEXT = 400_000;

/** Pictures of other hosts would tell them who reads this; they become links. Relative ones come out of the package. */
function mendAddresses(fileUrl: ((path: string) => string) | undefined) {
  let shift = 0;
  function hasTitle(node: Tree): boolean {
    return node.tagName === 'h1' || (node.children ?? []).some(hasTitle);
  }
  function mend(node: Tree): Tree {
    const children = node.children?.map(mend);
    const next: Tree = children === undefined ? node : { ...node, children };
    if (next.tagName === 'img') return mendPicture(next);
    if (next.tagName === 'a' && /^https?:/.test(String(next.properties?.['href'] ?? '')))
      return { ...next, properties: { ...next.properties, rel: ['nofollow', 'noopener', 'noreferrer'] } };
    if (/^h[1-6]$/.test(next.tagName ?? ''))
      return { ...next, tagName: `h${Math.min(6, Number(next.tagName?.slice(1)) + shift)}` };
    return next;
  }
  function mendPicture(node: Tree): Tree {
    const source = String(node.properties?.['src'] ?? '');
    const alt = String(node.properties?.['alt'] ?? '');
    if (/^https?:/.test(source))
      return {
        type: 'element',
        tagName: 'a',
        properties: { href: source, rel: ['nofollow', 'noopener', 'noreferrer'] },
        children: [{ type: 'text', value: alt === '' ? source : alt }],
      };
    if (fileUrl === undefined || source.startsWith('/') || source.includes(':')) return { type: 'text', value: alt };
    return { ...node, properties: { ...node.properties, src: fileUrl(source.replace(/^\.\//, '')), loading: 'lazy' } };
  }
  return (tree: Tree): Tree => {
    // The page has the first heading; a text with one of its own steps down.
    shift = hasTitle(tree) ? 1 : 0;
    return mend(tree);
  };
}

/** Markdown of an author → clean HTML: raw HTML is dropped, the rest passes an allow-list. `fileUrl` answers pictures of the package. */
export async function renderMarkdown(text: string, fileUrl?: (path: string) => string): Promise<string> {
  const file = await unified()
    .use(remarkParse)
    .use(remarkGfm)
    .use(remarkRehype)
    .use(rehypeSanitize, {
      ...defaultSchema,
      attributes: { ...defaultSchema.attributes, code: [['className', /^language-./]] },
    })
    .use(() => mendAddresses(fileUrl))
    .use(rehypeStringify)
    .process(text.slice(0, MAX_TEXT));
  return String(file);
}
