import { mkdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { interpreterMounts } from '../backends/process/interpreter-mounts.ts';
import { wallCommand, type Wall } from '../backends/process/wall-command.ts';
import { writeWallEtc } from '../backends/process/wall-etc.ts';

/** Names and certificates: what a download needs. */
const NETWORK_FILES = ['resolv.conf', 'hosts', 'ssl', 'ca-certificates', 'pki'];
/** Where installers look for their settings, which may hold the key of an index: for our own installer alone, never for code of a trainer. */
const SETTINGS = ['.config/uv', '.config/pip', '.pip', '.netrc'];
const SETTINGS_IN_ETC = ['pip.conf', 'uv'];
const NAMES_A_FILE = /^(ssl_cert_file|ssl_cert_dir|requests_ca_bundle|pip_cert|(uv|pip)_find_links)$/i;
/** An address with a user and a password. A bare `@` also stands in paths: npm puts its own folders on PATH. */
const HOLDS_CREDENTIALS = /(^|:\/\/)[^/\s]+@/;
const NAMES_SETTINGS = /^(uv|pip)_config_file$/i;

export interface WalledTool {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Folder for its /tmp. */
  readonly tmp: string;
  /** Folder in which the small files of /etc are kept. */
  readonly etcFolder: string;
  readonly python: string;
  readonly readOnly: readonly string[];
  readonly writable: readonly string[];
  readonly network: boolean;
  /** It may see the operator's settings for installers. */
  readonly settings: boolean;
}

/** The command line of an installer behind a wall. */
export async function walledTool(wall: Wall, tool: WalledTool): Promise<readonly string[]> {
  await mkdir(tool.tmp, { recursive: true });
  const interpreter = await interpreterMounts(tool.python);
  const own = await writeWallEtc(tool.etcFolder);
  const shared = [...NETWORK_FILES, ...(tool.settings ? SETTINGS_IN_ETC : [])];
  const etc: Record<string, string> = tool.network
    ? { ...own, ...Object.fromEntries(shared.map((name) => [name, `/etc/${name}`])) }
    : { ...own };
  if (tool.network) delete etc['nsswitch.conf']; // names are to be asked for
  const home = tool.settings ? (process.env['HOME'] ?? '/tmp') : '/tmp';
  const settings = tool.settings ? SETTINGS.map((name) => join(home, name)) : [];
  const environment = Object.entries(tool.environment).filter(
    ([, value]) => tool.settings || !HOLDS_CREDENTIALS.test(value),
  );
  const isNamed = (name: string): boolean => NAMES_A_FILE.test(name) || (tool.settings && NAMES_SETTINGS.test(name));
  const named = environment.filter(([name, value]) => isNamed(name) && isAbsolute(value));
  return wallCommand(wall, {
    argv: tool.argv,
    environment: { ...Object.fromEntries(environment), HOME: home, TMPDIR: '/tmp' },
    cwd: tool.cwd,
    tmp: tool.tmp,
    readOnly: [...interpreter.readOnly, ...tool.readOnly, tool.cwd, ...settings, ...named.map(([, path]) => path)],
    writable: tool.writable,
    links: interpreter.links,
    devices: [],
    etc,
    shmBytes: 64 * 1024 * 1024,
    network: tool.network,
  });
}
