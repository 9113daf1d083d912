/** Arguments of `uv pip sync` that change nothing about what is run: wheels of the lock, unpacked. */
const PLAIN = new Set(['--require-hashes', '--compile-bytecode', '--offline', '--quiet', '-q', 'requirements.lock']);
const DEFAULT = ['uv', 'pip', 'sync', '--require-hashes', 'requirements.lock'];

export type SetupPlan =
  /** Our own installer unpacks locked wheels. No code of the package or of its wheels runs, so the shared cache may be written. */
  | { readonly kind: 'wheels'; readonly argv: readonly string[] }
  /** Anything else is code of the trainer: behind a wall it sees nothing of other environments and gets a cache of its own. */
  | { readonly kind: 'own'; readonly argv: readonly string[] };

/** Pure: what `local.setup` asks for. Bytecode is compiled by us, later: it costs many times what the rest does. */
export function planSetup(setup: readonly string[] | undefined): SetupPlan {
  const argv = setup ?? DEFAULT;
  const [tool, pip, sync, ...rest] = argv;
  const plain = tool === 'uv' && pip === 'pip' && sync === 'sync' && rest.every((argument) => PLAIN.has(argument));
  if (!plain || !rest.includes('requirements.lock')) return { kind: 'own', argv };
  return { kind: 'wheels', argv: argv.filter((argument) => argument !== '--compile-bytecode') };
}
