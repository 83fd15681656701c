/** The exports of mesh/kubernetes/plugin.ts for the controller, loaded only if the configuration names Kubernetes. */
import { pathToFileURL } from 'node:url';
import { program } from '../../base/paths.js';
import type { Clock } from '../../base/clock.js';
import type { Attestor } from '../identity/attestor.js';
import type { IssuerStore } from '../identity/issuing.js';
import type { Bundle, IssuerConfig } from './config.js';
import type { DiscoverySource } from './discovery/source.js';
import type { Lease } from './lease.js';

export interface PluginContext {
  trustDomain: string;
  clock: Clock;
  /** Held by the one replica that writes statuses, events and webhook certificates. */
  lease: Lease;
  log(line: string): void;
}

/** `options` holds the configuration's fields beside `kind`: the plugin checks them (UserError). */
export interface ControllerPlugin {
  createSource(options: Record<string, unknown>, context: PluginContext): Promise<DiscoverySource>;
  createAttestor(options: Record<string, unknown>, context: PluginContext): Promise<Attestor>;
  createIssuerStore(
    options: Extract<IssuerConfig, { kind: 'kubernetes' }>,
    context: PluginContext,
  ): Promise<IssuerStore>;
  /** Writes the anchors of an issuer into a ConfigMap, from which pods have them. */
  publishBundle(store: IssuerStore, bundle: Bundle): Promise<IssuerStore>;
}

/** Imported by its path, like a separate program, so that no Kubernetes code is loaded without need. */
export const loadKubernetesPlugin = async (): Promise<ControllerPlugin> =>
  (await import(pathToFileURL(program('mesh/kubernetes/plugin')).href)) as ControllerPlugin;
