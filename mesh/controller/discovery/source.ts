/** The interface between a source of discovery (registry file, Kubernetes, DNS) and the controller. */
import type { Destination, InboundServer, MeshState, Place } from '../../model.js';

/**
 * Inbound servers of the workloads that a selector picks; a proxy gets the servers of every selector that it matches.
 */
export interface WorkloadServers {
  /** Unique within the source, for example `retail/cart`. */
  key: string;
  namespace: string;
  /** ProxyConfig.workload.name; absent: any. */
  workload?: string;
  /** All of these must be among the workload's labels; absent or empty: any. */
  labels?: Record<string, string>;
  /** Not for workloads with any of these labels. */
  without?: readonly string[];
  servers: InboundServer[];
}

/** Everything that a source knows at one moment. */
export interface SourceSnapshot {
  destinations: Destination[];
  /** Names of further destinations, which are as in the source's last report. */
  unchanged?: readonly string[];
  servers: WorkloadServers[];
  unknownDestinations?: MeshState['unknownDestinations'];
}

/** A difference: new and changed objects, and the names and keys of removed ones. */
export interface SourceChange {
  destinations?: Destination[];
  removedDestinations?: string[];
  servers?: WorkloadServers[];
  removedServers?: string[];
}

/** Receives the reports of a source. Calls are cheap: changes are gathered and sent once a turn of the event loop. */
export interface DiscoverySink {
  /** Everything that the source knows: objects missing from it are removed. Unchanged objects cost nothing. */
  replace(snapshot: SourceSnapshot): void;
  /** A difference to the source's earlier reports. */
  update(change: SourceChange): void;
  /** The places of the proxies at these addresses have become known, or are others. */
  moved?(addresses: ReadonlySet<string>): void;
  /** Reports problems; the last good report stays in force. An empty list means that all problems are solved. */
  problems(messages: readonly string[]): void;
}

/** A source calls `replace` as soon as it knows what there is; until then no proxy is told anything. */
export interface DiscoverySource {
  readonly name: string;
  /** The reason why a proxy with that identity is not the workload that it claims to be; undefined: it may be. */
  whyNot?(identity: string, claim: { namespace: string; workload: string }): string | undefined;
  /** The place of the proxy that calls from this address. */
  placeOf?(address: string): Place | undefined;
  start(sink: DiscoverySink): Promise<void>;
  stop(): Promise<void>;
}
