/**
 * The system under test as an interface for all of chaos/: its parts, its injection points and metrics, and its
 * counters. A kind of system is an implementation of `System`; see README.md.
 */
import type { Target } from '../../alerts/watch/index.js';
import type { ReportSection, TimelineEvent } from '../../runbooks/record.js';
import type { Undo } from '../faults/undo.js';

export interface WorkloadPorts {
  /** The service's own listening port: the first of its ports; 0 if unknown. */
  app: number;
  /** The service's port for faults and counters, if it has one. */
  appAdmin?: number;
  /** The sidecar's port; absent without a sidecar, or if the sidecar lacks that side; 0 if the number is unknown. */
  inbound?: number;
  outbound?: number;
  proxyAdmin?: number;
}

export interface WorkloadDescription {
  /** `catalog-2`: also the name of its service process. */
  name: string;
  service: string;
  /** The identity in its sidecar's certificate; absent without mTLS. */
  identity?: string;
  /** Services and dependencies that the workload calls. */
  calls: readonly string[];
  /** Its calls through its own sidecar: `front/back` goes to the mesh's `back.podinfo`. */
  edges?: readonly { name: string; to: string; destination: string }[];
  /** Name of its sidecar's process. */
  proxy?: string;
  /** Its sidecar's admin address, if it is no port of this machine. */
  admin?: string;
  ports: WorkloadPorts;
}

/** A TCP relay on one call, or an equivalent proxy: `front/redis` carries the call from front to redis. */
export interface RelayDescription {
  name: string;
  /** The calling service. */
  from: string;
  /** The called service or dependency. */
  to: string;
  /** Name of the relay's process. */
  process?: string;
  /** The relay's injection point: `http://127.0.0.1:4711`. */
  url: string;
  /** The supported kinds of faults, if not all. */
  kinds?: readonly string[];
  /** The undo, if the relay's leases do not lapse with their holder. */
  undo?: Undo;
}

export interface SystemDescription {
  name: string;
  /** `retail`'s own kind, `processes`, ...: for people. */
  kind: string;
  /** Whether all of it is up; its ports are known before. */
  ready: boolean;
  /** The reason why it will not come up. */
  failure?: string;
  /** The value of the metrics' `namespace` label. */
  namespace: string;
  /** Absent without mTLS, like the next two. */
  trustDomain?: string;
  certificateLifetimeMs?: number;
  controller?: { process: string; grpc: number; admin: number };
  /** The address for a client's requests. */
  url: string;
  workloads: WorkloadDescription[];
  /** Outside addresses that the services call. */
  dependencies: string[];
  relays: RelayDescription[];
  processes: ProcessDescription[];
  /** Targets for Prometheus. */
  targets: Target[];
  /** Kinds of faults that its supervisor and its services hold; those of sidecars and relays need no entry. */
  faults: string[];
  /** Processes with their own disk, which can be filled. */
  disks?: string[];
  /** Workloads with their own network, whose resolver holds faults of DNS. */
  resolvers?: string[];
  /** The folder of its keys and its registry, on this machine. */
  folder?: string;
  /** Processes that can be made to leak, if not all. */
  leaking?: string[];
  /** Faults by the user's own commands, held by the program at `admin`. */
  commands?: { name: string; title?: string; undo: Undo }[];
  /** For a cluster: possible targets of each kind of fault. */
  objects?: Partial<Record<'scaled' | 'pods' | 'limited' | 'throttled' | 'secret', string[]>>;
}

export interface ProcessDescription {
  name: string;
  /** `service`, `proxy`, `controller`, `relay`. */
  kind: string;
  /** 0 while the process does not run. */
  pid: number;
  ports: Record<string, number>;
}

export interface ProcessEvent {
  atMs: number;
  process: string;
  event: 'started' | 'stopped' | 'killed' | 'exited' | 'paused' | 'continued';
  detail?: string;
}

export interface System {
  /** The system at the time of the last request. */
  readonly description: SystemDescription;
  /** Asks again, because processes come and go. */
  refresh(): Promise<void>;
  /** The admin address of the program that holds faults of processes and of the system as a whole. */
  readonly admin: string;
  /** Undefined if the system has no controller. */
  readonly controllerAdmin: string | undefined;
  /** All workloads of a service, or the workload of that name. */
  workloads(name: string): WorkloadDescription[];
  /** Undefined if the workload has no sidecar. */
  proxyAdmin(workload: WorkloadDescription): string | undefined;
  /** Undefined if the service accepts no faults and has no counters. */
  appAdmin(workload: WorkloadDescription): string | undefined;
  /** Relays of one call (`front/redis`), or all that lead to a service or dependency. */
  relays(target: string): RelayDescription[];
  /** Every address that holds faults, for checks of residues. */
  injectionPoints(): { name: string; url: string }[];
  /** The targets for Prometheus; optionally without the sidecars. */
  targets(which?: 'all' | 'without-proxies'): Target[];
  /** The counters of a service, summed over its workloads. */
  counters(service: string): Promise<Record<string, number>>;
  /** The events of processes and certificates so far. */
  events(): Promise<TimelineEvent[]>;
  /** The system's own sections of the report, in addition to those of every system. */
  sections(): Promise<ReportSection[]>;
  /** Stops a process (it drains) and starts it again. */
  restart(process: string): Promise<void>;
  /** Publishes new configuration; resolves to its revision. */
  publish(): Promise<number>;
  /** Every workload renews its certificate. */
  renewCertificates(): Promise<void>;
}
