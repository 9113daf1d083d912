/** A manifest as pages read it. The hub has checked it; this reads it tolerantly, so that an odd field costs a line and never the page. */

export interface ModelView {
  readonly id: string;
  readonly title: string;
  readonly tasks: readonly string[];
  readonly params: number | undefined;
  readonly input: number | undefined;
  readonly exports: readonly string[] | undefined;
  readonly probe: boolean;
  readonly status: string;
  /** An open family: any name that fits. */
  readonly pattern: string | undefined;
}

export interface ManifestView {
  readonly tasks: readonly { readonly id: string; readonly primary: string; readonly datasets: readonly string[] }[];
  readonly models: readonly ModelView[];
  readonly exports: readonly { readonly format: string; readonly precisions: readonly string[] }[];
  readonly framework: { readonly name: string; readonly version: string };
  readonly license: string;
  readonly devices: readonly string[];
  readonly resume: string;
  readonly minMemory: string | undefined;
  readonly minCpus: number | undefined;
  readonly links: readonly { readonly title: string; readonly href: string }[];
}

type Fields = Readonly<Record<string, unknown>>;
function fields(value: unknown): Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}
function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
function words(value: unknown): string[] {
  return list(value).map(String);
}
function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function readModel(value: unknown): ModelView {
  const model = fields(value);
  const id = text(model['id']) ?? text(model['pattern']) ?? '';
  return {
    id,
    title: text(model['title']) ?? id,
    tasks: words(model['tasks']),
    params: number(model['params']),
    input: number(fields(model['input'])['default']),
    exports: model['exports'] === undefined ? undefined : words(model['exports']),
    probe: model['probe'] === true,
    status: text(model['status']) ?? 'active',
    pattern: text(model['pattern']),
  };
}

export function manifestView(raw: Fields): ManifestView {
  const capabilities = fields(raw['capabilities']);
  const least = fields(fields(raw['resources'])['min']);
  const framework = fields(raw['framework']);
  const links = ['homepage', 'repository', 'documentation', 'issues', 'paper'].flatMap((name) => {
    const href = text(raw[name]) ?? text(fields(raw['links'])[name]);
    return href !== undefined && /^https?:\/\//.test(href)
      ? [{ title: name.charAt(0).toUpperCase() + name.slice(1), href }]
      : [];
  });
  return {
    tasks: list(raw['tasks']).map((value) => {
      const task = fields(value);
      return {
        id: text(task['id']) ?? '',
        primary: text(fields(task['metrics'])['primary']) ?? '',
        datasets: words(task['datasets']),
      };
    }),
    models: list(raw['models']).map(readModel),
    exports: list(raw['exports']).map((value) => {
      const claim = fields(value);
      return { format: text(claim['format']) ?? '', precisions: words(claim['precisions']) };
    }),
    framework: { name: text(framework['name']) ?? '', version: text(framework['version']) ?? '' },
    license: text(raw['license']) ?? '',
    devices: words(capabilities['devices']),
    resume: text(capabilities['resume']) ?? 'none',
    minMemory: text(least['memory']),
    minCpus: number(least['cpu']),
    links,
  };
}
