/**
 * Started by observe-network.ts inside the network namespace of a trial: `nsenter --net=… node watch-network.ts`. Every attempt to reach something
 * shows: names are answered by us, and whatever leaves for an address is seen on an interface that leads nowhere. Says so in lines of JSON:
 * `{ready: true}` or `{unavailable: …}` first, then `{saw: …}`. Ends when its input ends.
 */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';

/** What a walled trainer believes to be called; asking for that is no attempt to reach anything. */
const OWN_NAMES = [hostname(), 'trainer', 'localhost'];
const seen = new Set<string>();

function say(fields: Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify(fields)}\n`);
}

function saw(what: string): void {
  if (seen.has(what) || seen.size > 50) return;
  seen.add(what);
  say({ saw: what });
}

async function watch(): Promise<void> {
  ip('link', 'set', 'lo', 'up');
  // One of the two is in every kernel.
  if (!tries('tuntap', 'add', 'dev', 'nowhere', 'mode', 'tun')) ip('link', 'add', 'nowhere', 'type', 'dummy');
  ip('addr', 'add', '100.64.0.2/24', 'dev', 'nowhere');
  ip('link', 'set', 'nowhere', 'up');
  ip('route', 'add', 'default', 'dev', 'nowhere');
  ip('route', 'add', 'local', '198.18.0.0/15', 'dev', 'lo');
  for (const address of nameServers()) ip('addr', 'add', `${address}/32`, 'dev', 'lo');
  await answerNames();
  const before = packetsOut();
  const look = (): void => {
    lookAtConnections();
    const packets = packetsOut() - before;
    if (packets > 0 && seen.size === 0) saw(`an address that nobody could read (${packets} packets)`);
  };
  setInterval(look, 100);
  process.stdin.on('end', () => {
    look();
    process.exit(0);
  });
  process.stdin.resume();
  say({ ready: true });
}

function tries(...words: string[]): boolean {
  return spawnSync('ip', words, { stdio: 'ignore' }).status === 0;
}

function ip(...words: string[]): void {
  const { status, stderr, error } = spawnSync('ip', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

function nameServers(): string[] {
  try {
    const found = readFileSync('/etc/resolv.conf', 'utf8').matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm);
    return [...found]
      .map(([, address = '']) => address)
      .filter((address) => address !== '' && !address.startsWith('127.'));
  } catch {
    return [];
  }
}

/** Every name has an address, so that what would be done with it is seen too; the address leads to us. */
async function answerNames(): Promise<void> {
  const socket = createSocket('udp4');
  const names = new Map<string, string>();
  socket.on('message', (query, from) => {
    const { name, type, end } = question(query);
    if (name === '') return;
    const own = OWN_NAMES.some((known) => name === known || name.startsWith(`${known}.`));
    if (!own) saw(name);
    const address = names.get(name) ?? `198.18.0.${names.size + 1}`;
    names.set(name, address);
    const header = Buffer.from(query.subarray(0, end));
    header.writeUInt16BE(own ? 0x8183 : 0x8180, 2);
    const answer = type === 1 && !own;
    header.writeUInt16BE(answer ? 1 : 0, 6);
    header.writeUInt16BE(0, 8);
    header.writeUInt16BE(0, 10);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]);
    socket.send(answer ? Buffer.concat([header, record]) : header, from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(53, '0.0.0.0', resolve);
  });
  socket.unref();
  for (const port of [80, 443]) {
    const server = createServer((incoming) => {
      const to = incoming.localAddress?.replace('::ffff:', '') ?? '';
      const name = [...names].find(([, address]) => address === to)?.[0] ?? to;
      if (!to.startsWith('127.')) saw(`${name}:${port}`);
      incoming.on('error', () => undefined);
      incoming.destroy();
    });
    server.on('error', () => undefined);
    server.listen(port, '0.0.0.0');
    server.unref();
  }
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (at < query.length && query[at] !== 0) {
    const length = query[at] ?? 0;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  if (at + 5 > query.length) return { name: '', type: 0, end: 0 };
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** Connections that are waiting for an answer that never comes; from then on their address refuses, so that nothing hangs. */
function lookAtConnections(): void {
  for (const [file, waiting] of [
    ['/proc/net/tcp', '02'],
    ['/proc/net/tcp6', '02'],
  ] as const) {
    for (const line of read(file).split('\n').slice(1)) {
      const [, , remote = '', state] = line.trim().split(/\s+/);
      if (state !== waiting) continue;
      const [address = '', port = ''] = remote.split(':');
      const shown = address.length === 8 ? Buffer.from(address, 'hex').reverse().join('.') : `[${address}]`;
      if (shown.startsWith('127.')) continue;
      saw(`${shown}:${parseInt(port, 16)}`);
      if (address.length === 8)
        spawnSync('ip', ['route', 'add', 'local', `${shown}/32`, 'dev', 'lo'], { stdio: 'ignore' });
    }
  }
}

/** Sent or dropped: nobody reads the interface. It says nothing by itself. */
function packetsOut(): number {
  const [, sent = '0', dropped = '0'] = /nowhere:\s*(?:\d+\s+){9}(\d+)\s+\d+\s+(\d+)/.exec(read('/proc/net/dev')) ?? [];
  return Number(sent) + Number(dropped);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

try {
  await watch();
} catch (error) {
  say({ unavailable: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}
