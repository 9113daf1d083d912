import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { Problem } from '@trainyard/plugin-sdk';

export const HUB_VERSION = '1.0.0';

/** Every variable of the hub's environment once; docs/environment.md is generated from here. */
export const VARIABLES = {
  TRAINYARD_HOME: {
    schema: Type.String({ minLength: 1 }),
    default: '.trainyard',
    doc: 'Folder of all state: database, bytes, secrets, environments.',
  },
  PORT: {
    schema: Type.Integer({ minimum: 0, maximum: 65535 }),
    default: 3000,
    doc: 'Port of the one public address; the next free one is taken when it is in use.',
  },
  HOST: {
    schema: Type.String({ minLength: 1 }),
    default: '127.0.0.1',
    doc: 'Address to listen on. 0.0.0.0 opens it to the network.',
  },
  PUBLIC_URL: {
    schema: Type.String(),
    default: '',
    doc: 'Address under which people reach it, when that is not http://localhost:PORT. https makes cookies Secure.',
  },
  TRUSTED_PROXIES: {
    schema: Type.String(),
    default: '',
    doc: 'Comma-separated addresses of proxies whose X-Forwarded-* headers count.',
  },
  DATABASE_URL: {
    schema: Type.String(),
    default: '',
    doc: 'A PostgreSQL of your own; without it the one that Trainyard brings is started.',
  },
  TRAINYARD_SITE_URL: { schema: Type.String(), default: '', doc: 'Where the site listens; set by the supervisor.' },
  TRAINYARD_BUNDLED: {
    schema: Type.String(),
    default: '',
    doc: 'Folder with packed trainers that come with this version; set by the supervisor.',
  },
  TRAINYARD_SAMPLE: {
    schema: Type.String(),
    default: '',
    doc: 'Archive of the sample dataset; set by the supervisor. Empty = no sample.',
  },
  TRAINYARD_LEASE_SCALE: {
    schema: Type.Number({ exclusiveMinimum: 0 }),
    default: 1,
    doc: 'Factor on all lease times; tests shorten them with it.',
  },
  TRAINYARD_FETCH_HOSTS: {
    schema: Type.String(),
    default: '',
    doc: 'Comma-separated hosts (with port) that weights may be fetched from although they are private or without https.',
  },
  TRAINYARD_PROVE: {
    schema: Type.Union([Type.Literal('on'), Type.Literal('off')]),
    default: 'on',
    doc: 'Whether published releases are measured further, up to L3: minutes of work for each task. off keeps them at L1.',
  },
  TRAINYARD_LOG: { schema: Type.String(), default: 'info', doc: 'Level of the log: debug, info, warn, error, silent.' },
} as const;
type Variables = typeof VARIABLES;
export type HubConfig = { readonly [K in keyof Variables]: Static<Variables[K]['schema']> };

/** Reads and checks the environment; everything that is wrong is said at once. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): HubConfig {
  const wrong: string[] = [];
  const entries = Object.entries(VARIABLES).map(([name, variable]) => {
    const text = env[name];
    const value = text === undefined || text === '' ? variable.default : Value.Convert(variable.schema, text);
    if (!Value.Check(variable.schema, value)) wrong.push(`${name}=${String(text)}: ${variable.doc}`);
    return [name, value];
  });
  if (wrong.length > 0)
    throw new Problem('bad-request', {
      detail: `The environment has values that cannot be used. ${wrong.join(' ')}`,
      fix: 'See docs/environment.md.',
    });
  return Object.fromEntries(entries) as HubConfig;
}
