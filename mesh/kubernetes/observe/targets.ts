/** Which proxies to look at, and what each says: a list of admin addresses, a file of them, or a cluster's pods. */
import { sleep } from '../../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { checkYaml, readYaml } from '../../../base/yaml.js';
import { z } from 'zod';
import type { MeshState, ProxyConfig } from '../../model.js';
import { ports } from '../annotations.js';
import { resources } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { isMeshed } from '../discovery/workload.js';
import { parseExposition, type Sample } from './exposition.js';

export interface TargetOptions {
  proxies?: string | undefined;
  meshFile?: string | undefined;
  namespace?: string | undefined;
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

/** What a proxy was started with and serves by, as its admin port tells. */
export type SaidConfig = Omit<ProxyConfig, 'state'> & { state?: MeshState };

export interface Observed {
  address: string;
  config: SaidConfig;
  before: Sample[];
  after: Sample[];
  /** Between the two readings. */
  seconds: number;
}

const meshFile = z.looseObject({
  proxies: z.array(
    z.union([z.string(), z.looseObject({ admin: z.union([z.string(), z.number()]) })]),
  ),
});

/** `ip:port` of admin ports. */
export async function findTargets(options: TargetOptions): Promise<string[]> {
  if (options.proxies) {
    const list = options.proxies.split(',').map((p) => p.trim());
    return list.filter((p) => p !== '').map(withHost);
  }
  if (options.meshFile) {
    const [document] = readYaml(options.meshFile);
    if (!document) throw new UserError(`${options.meshFile}: empty`);
    const { proxies } = checkYaml(document, meshFile);
    return proxies.map((p) => withHost(typeof p === 'string' ? p : String(p.admin)));
  }
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const api = new KubeApi(await findCredentials(options));
  const pods = await api.list<Pod>(resources.Pod, { namespace: options.namespace });
  api.close();
  const { forwardToPods } = await import('../client/port-forward.js');
  const meshed = pods.items.filter((p) => isMeshed(p) && p.status?.podIP);
  return forwardToPods(
    options,
    meshed.map(({ metadata: { namespace = 'default', name } }) => {
      return { namespace, name, port: ports.admin };
    }),
  );
}

const withHost = (text: string): string => (text.includes(':') ? text : `127.0.0.1:${text}`);

async function get(address: string, path: string): Promise<string> {
  // Each by a connection of its own: what is forwarded ends with it.
  const headers = { connection: 'close' };
  const signal = AbortSignal.timeout(5000);
  const response = await fetch(`http://${address}${path}`, { headers, signal });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.text();
}

/** Reads every proxy twice, `windowMs` apart. Those that do not answer are named in `silent`. */
export async function observe(
  targets: readonly string[],
  windowMs: number,
): Promise<{ proxies: Observed[]; silent: string[] }> {
  const silent: string[] = [];
  const first = await Promise.all(
    targets.map(async (address) => {
      try {
        const [config, metrics] = await Promise.all([
          get(address, '/config'),
          get(address, '/metrics'),
        ]);
        const before = parseExposition(metrics);
        return { address, config: JSON.parse(config) as SaidConfig, before, at: performance.now() };
      } catch (error) {
        silent.push(`${address} (${messageOf(error)})`);
        return undefined;
      }
    }),
  );
  if (targets.length > 0 && silent.length === targets.length) {
    throw new UserError(`no proxy answered: ${silent.join(', ')}`, exitCode.environment);
  }
  if (windowMs > 0) await sleep(windowMs);
  const proxies: Observed[] = [];
  for (const one of first) {
    if (!one) continue;
    const { at, ...rest } = one;
    try {
      const after = windowMs > 0 ? parseExposition(await get(one.address, '/metrics')) : one.before;
      proxies.push({ ...rest, after, seconds: (performance.now() - at) / 1000 });
    } catch (error) {
      silent.push(`${one.address} (${messageOf(error)})`);
    }
  }
  return { proxies, silent };
}
