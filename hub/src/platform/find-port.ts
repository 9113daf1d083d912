import { createServer as createNetServer } from 'node:net';
import { Problem } from '@trainyard/plugin-sdk';

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = createNetServer();
    probe.once('error', () => done(false));
    probe.listen(port, host, () => probe.close(() => done(true)));
  });
}

function anyPort(host: string): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createNetServer();
    probe.once('error', failed);
    probe.listen(0, host, () => {
      const address = probe.address();
      probe.close(() => done(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

/** The wanted port or the next free one of twenty; any free one for 0. */
export async function findPort(wanted: number, host: string): Promise<number> {
  if (wanted === 0) return anyPort(host);
  for (let port = wanted; port < wanted + 20 && port < 65536; port++) if (await isFree(port, host)) return port;
  throw new Problem('unavailable', {
    detail: `Ports ${wanted} to ${wanted + 19} are all taken.`,
    fix: 'Choose another one: PORT=8080 npm start',
  });
}
