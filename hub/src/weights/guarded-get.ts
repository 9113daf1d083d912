import { lookup } from 'node:dns';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Problem } from '@trainyard/plugin-sdk';

/** Addresses that belong to this machine, its network, or nobody. */
const OURS = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  OURS.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  OURS.addSubnet(net, prefix, 'ipv6');

const IDLE_MS = 30_000;
const MOST_REDIRECTS = 3;

function isOurs(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return OURS.check(mapped, 'ipv4');
  return isIP(address) === 0 || OURS.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function refused(host: string): Problem {
  return new Problem('bad-request', {
    detail: `${host} is an address of this network, or none at all.`,
    fix: 'Use a public https address, or upload the file. An operator may allow a host with TRAINYARD_FETCH_HOSTS.',
  });
}

/** All addresses of the name are looked at, and the connection goes to one that was. */
const guardedLookup: LookupFunction = (host, options, answer) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return answer(error, '', 4);
    const [first] = addresses;
    if (first === undefined || addresses.some((item) => isOurs(item.address))) return answer(refused(host), '', 4);
    if (options.all === true) return answer(null, addresses);
    return answer(null, first.address, first.family);
  });
};

/**
 * The body behind an address that a person gave: https only, never an address of this network, at most three redirects, each judged anew. Hosts that the
 * operator allows are taken as they are. Throws Problems in words for people.
 */
export async function guardedGet(
  address: string,
  allowed: readonly string[],
  signal: AbortSignal,
): Promise<{ body: IncomingMessage; bytes: number | null }> {
  let url = parseAddress(address);
  for (let hops = 0; hops <= MOST_REDIRECTS; hops += 1) {
    const response = await getOnce(url, allowed, signal);
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      response.resume();
      url = parseAddress(new URL(headers.location, url).href);
      continue;
    }
    if (statusCode !== 200) {
      response.resume();
      throw new Problem('unavailable', {
        detail: `${url.host} answered ${statusCode}.`,
        fix: 'Check the address, or upload the file.',
      });
    }
    const bytes = Number(headers['content-length']);
    return { body: response, bytes: Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null };
  }
  throw new Problem('unavailable', {
    detail: `${address} leads on and on.`,
    fix: 'Use the address of the file itself.',
  });
}

function parseAddress(text: string): URL {
  if (!URL.canParse(text))
    throw new Problem('bad-request', { detail: `${text} is not an address.`, fix: 'Write https://…' });
  return new URL(text);
}

function getOnce(url: URL, allowed: readonly string[], signal: AbortSignal): Promise<IncomingMessage> {
  const open = allowed.includes(url.host);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!open && (url.protocol !== 'https:' || (isIP(host) !== 0 && isOurs(host))))
    return Promise.reject(refused(url.host));
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return Promise.reject(refused(url.host));
  const get = url.protocol === 'https:' ? httpsGet : httpGet;
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, ...(open ? {} : { lookup: guardedLookup }) }, resolve);
    request.setTimeout(IDLE_MS, () => request.destroy(new Error('it did not answer for 30 s')));
    request.on('error', (error) =>
      reject(
        error instanceof Problem
          ? error
          : new Problem('unavailable', {
              detail: `${url.host} cannot be reached: ${error.message}.`,
              fix: 'Check the network of the hub, or upload the file.',
            }),
      ),
    );
  });
}
