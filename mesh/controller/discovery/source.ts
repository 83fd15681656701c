/** What a source of discovery (registry file, Kubernetes, DNS) tells the controller, and what it is told with. */
import type { Destination, InboundServer, MeshState } from '../../model.js';

/** Inbound servers of the workloads that a selector picks; a proxy is told those of every selector it fits. */
export interface WorkloadServers {
  /** Unique within the source: `retail/cart` and the like. */
  key: string;
  namespace: string;
  /** ProxyConfig.workload.name; absent: any. */
  workload?: string;
  /** All must be among the workload's labels; absent or empty: any. */
  labels?: Record<string, string>;
  servers: InboundServer[];
}

/** All that a source knows at one moment. */
export interface SourceSnapshot {
  destinations: Destination[];
  servers: WorkloadServers[];
  unknownDestinations?: MeshState['unknownDestinations'];
}

/** A difference: what is new or changed, and the names and keys of what is gone. */
export interface SourceChange {
  destinations?: Destination[];
  removedDestinations?: string[];
  servers?: WorkloadServers[];
  removedServers?: string[];
}

/** Where a source puts what it learns. Calls are cheap: changes are gathered and sent once a turn of the loop. */
export interface DiscoverySink {
  /** Everything the source knows: what it does not name any more is gone. Unchanged objects cost nothing. */
  replace(snapshot: SourceSnapshot): void;
  /** A difference to what the source said before. */
  update(change: SourceChange): void;
  /** Something is wrong; what was said last stays in force. An empty list says that all is well again. */
  problems(messages: readonly string[]): void;
}

/** A source calls `replace` once before `start` resolves, even where it knows nothing (yet serves a stale cache). */
export interface DiscoverySource {
  readonly name: string;
  /** Why a proxy of that identity is not the workload that it says; undefined: it may be. */
  whyNot?(identity: string, claim: { namespace: string; workload: string }): string | undefined;
  start(sink: DiscoverySink): Promise<void>;
  stop(): Promise<void>;
}
