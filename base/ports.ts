/**
 * Free ports on loopback, below the range from which the kernel takes ports for outgoing connections at any moment.
 */
import { createServer } from 'node:net';
import { systemRandom } from './random.js';

const firstPort = 15_000;
const portCount = 17_000;

/** `count` different ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > 20 * count + 100) throw new Error('no free ports');
    const port = firstPort + systemRandom.below(portCount);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
