/** `firedrill gameday keep`: the keeper, in its pod. It ends by itself when there are no leases left. */
import { hostname } from 'node:os';
import { realClock, sleep } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { KubeApi } from '../../../mesh/kubernetes/client/api.js';
import { findCredentials } from '../../../mesh/kubernetes/client/credentials.js';
import { Keeper, lookEveryMs } from './keeper.js';

/** After this time in milliseconds without a lease, the drill is over. */
const idleMs = 30_000;

export async function keepCommand(options: {
  namespace: string;
  drill: string;
  kubeconfig?: string;
}): Promise<number> {
  const api = new KubeApi(await findCredentials(options), { timeoutMs: 5000 });
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const { namespace, drill } = options;
  const keeper = new Keeper({ api, namespace, drill, name: hostname(), clock: realClock, say });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  let busyMs = realClock.monotonicMs();
  let trouble = '';
  while (!stop.signal.aborted && realClock.monotonicMs() - busyMs < idleMs) {
    try {
      if ((await keeper.look()) > 0) busyMs = realClock.monotonicMs();
      trouble = '';
    } catch (error) {
      // An unknown state is no reason to end.
      busyMs = realClock.monotonicMs();
      if (messageOf(error) !== trouble) say((trouble = messageOf(error)));
    }
    await sleep(lookEveryMs, stop.signal).catch(() => undefined);
  }
  api.close();
  return 0;
}
