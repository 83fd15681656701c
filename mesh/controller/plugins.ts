/** What mesh/kubernetes/plugin.ts exports for the controller: loaded only where the configuration names Kubernetes. */
import { pathToFileURL } from 'node:url';
import { program } from '../../base/paths.js';
import type { Clock } from '../../base/clock.js';
import type { Attestor } from '../identity/attestor.js';
import type { IssuerStore } from '../identity/issuing.js';
import type { IssuerConfig } from './config.js';
import type { DiscoverySource } from './discovery/source.js';
import type { Lease } from './lease.js';

export interface PluginContext {
  trustDomain: string;
  clock: Clock;
  /** This replica's name. */
  replica: string;
  /** True on the one replica that does what only one should: statuses, events, webhook certificates. */
  lease: Lease;
  log(line: string): void;
}

/** `options` are the fields beside `kind` as the configuration has them: the plugin checks them (UserError). */
export interface ControllerPlugin {
  createSource(options: Record<string, unknown>, context: PluginContext): Promise<DiscoverySource>;
  createAttestor(options: Record<string, unknown>, context: PluginContext): Promise<Attestor>;
  createIssuerStore(
    options: Extract<IssuerConfig, { kind: 'kubernetes' }>,
    context: PluginContext,
  ): Promise<IssuerStore>;
  /** Webhooks and whatever else runs beside the stream; called once after the controller is ready. */
  attach?(
    options: Record<string, unknown>,
    context: PluginContext,
  ): Promise<{ stop(): Promise<void> }>;
}

/** By its path, as a program of its own is started, so that nothing of Kubernetes is read without need. */
export const loadKubernetesPlugin = async (): Promise<ControllerPlugin> =>
  (await import(pathToFileURL(program('mesh/kubernetes/plugin')).href)) as ControllerPlugin;
