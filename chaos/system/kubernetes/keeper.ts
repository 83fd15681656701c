/**
 * The keeper ends leases independently of the runner. It runs as a pod in the drill's namespace, marks each lease there
 * as held, and rolls back leases that nobody renews. It uses only its own clock: a lease counts from the time when the
 * keeper saw a renewal, so clocks of other machines do not matter.
 */
import { connect } from 'node:net';
import type { Clock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { KubeApi } from '../../../mesh/kubernetes/client/api.js';
import {
  type ClusterLease,
  holdLease,
  listLeases,
  removeLease,
  takeBack,
  tellReachable,
} from './cluster-lease.js';

export interface KeeperParts {
  api: KubeApi;
  namespace: string;
  drill: string;
  /** The name of its pod. */
  name: string;
  clock: Pick<Clock, 'monotonicMs'>;
  say(line: string): void;
}

export const lookEveryMs = 400;
const connectMs = 800;

export class Keeper {
  readonly #parts: KeeperParts;
  /** The last observed renewal, and its time. */
  readonly #seen = new Map<string, { renewal: number; atMs: number }>();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Checks all leases once; resolves to the number of remaining leases. Rejects if the API server does not answer. */
  async look(): Promise<number> {
    const { api, namespace, drill, say } = this.#parts;
    const leases = await listLeases(api, namespace, drill, (name) =>
      say(`${name} cannot be read and is left alone`),
    );
    const names = new Set(leases.map(({ name }) => name));
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
    let left = 0;
    for (const lease of leases) {
      try {
        if (!(await this.#keep(lease))) left++;
      } catch (error) {
        left++;
        say(`${lease.name}: ${messageOf(error)}`);
      }
    }
    return left;
  }

  /** Resolves to whether the lease was rolled back. */
  async #keep(lease: ClusterLease): Promise<boolean> {
    const { api, clock, name, say } = this.#parts;
    const nowMs = clock.monotonicMs();
    const before = this.#seen.get(lease.name);
    if (before?.renewal !== lease.renewal) {
      this.#seen.set(lease.name, { renewal: lease.renewal, atMs: nowMs });
      if (lease.heldBy !== name) await holdLease(api, lease, name);
    } else if (nowMs - before.atMs > lease.ttlMs) {
      await takeBack(api, lease.steps);
      await removeLease(api, lease);
      this.#seen.delete(lease.name);
      say(`${lease.name} was not renewed for ${lease.ttlMs} ms and is rolled back`);
      return true;
    }
    if (lease.probe !== undefined) {
      const is = await canConnect(lease.probe);
      if (is !== lease.isReachable) await tellReachable(api, lease, is);
    }
    return false;
  }
}

function canConnect(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  return new Promise((resolve) => {
    const socket = connect({ host: address.slice(0, at), port });
    const end = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.setTimeout(connectMs, () => end(false));
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
