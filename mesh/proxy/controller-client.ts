/** The proxy's end of the controller's stream: keeps the proxy's stores up to date. */
import { readFileSync } from 'node:fs';
import type { Clock } from '../../base/clock.js';
import { messageOf, UserError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import { ControllerClient } from '../controller/client/client.js';
import { readAnchors, splitPem } from '../identity/csr.js';
import type { MeshState, ProxyConfig } from '../model.js';

/** Throws when a state cannot be served: the controller is notified of the reason, and the old state stays in use. */
export interface StateTarget {
  apply(state: MeshState, source: 'fresh' | 'cache'): void;
}

export interface IdentityTarget {
  set(
    material: { certificateChainPem: string; keyPem: string; trustAnchorsPem: string },
    source: 'fresh' | 'cache',
  ): void;
}

/** A proxy without a cache listens after this long even if no state has come. */
const firstStateLimitMs = 10_000;

/**
 * Connects to the controller of `config.controller`. Resolves when there is a state to serve by, from the cache or
 * the stream; from then on the stores are kept up to date. Throws a UserError when the configuration cannot work.
 */
export async function startControllerClient(parts: {
  config: ProxyConfig;
  state: StateTarget;
  identity: IdentityTarget;
  proxyVersion: string;
  clock: Clock;
  random: Random;
  log(line: string): void;
}): Promise<ControllerClient> {
  const { config, state, identity } = parts;
  const { controller } = config;
  if (!controller || controller.addresses.length === 0) {
    throw new UserError('controller.addresses is empty');
  }
  if (!config.identity) throw new UserError('controller needs identity.name and trustAnchorsFile');
  const { trustAnchorsFile } = config.identity;
  const client = new ControllerClient({
    addresses: controller.addresses,
    controllerIdentity: controller.identity,
    workload: config.workload,
    identity: config.identity.name,
    tokenFile: controller.tokenFile,
    anchors: () => anchorsIn(trustAnchorsFile),
    ...(config.cacheFolder !== undefined && { cacheFolder: config.cacheFolder }),
    subscribe: controller.subscribe ?? ['*'],
    proxyVersion: parts.proxyVersion,
    clock: parts.clock,
    random: parts.random,
    log: parts.log,
    onState: (next, source) => state.apply(next, source),
    onIdentity: ({ chain, key, anchors }, source) =>
      identity.set(
        { certificateChainPem: chain, keyPem: key, trustAnchorsPem: anchors.join('\n') },
        source,
      ),
  });
  await client.start(firstStateLimitMs);
  return client;
}

function anchorsIn(file: string): string[] {
  try {
    const anchors = splitPem(readFileSync(file, 'utf8'));
    readAnchors(anchors);
    return anchors;
  } catch (error) {
    throw new UserError(`identity.trustAnchorsFile: ${messageOf(error)}`);
  }
}
