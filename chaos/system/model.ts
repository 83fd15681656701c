/**
 * The system under test, as all of chaos/ knows it: a port. What it is made of, where it takes faults and shows
 * metrics, what it counts. A kind of system is an implementation of `System`; see README.md.
 */
import type { Target } from '../../alerts/watch/index.js';
import type { ReportSection, TimelineEvent } from '../../runbooks/record.js';
import type { Undo } from '../faults/undo.js';

export interface WorkloadPorts {
  /** Where the service itself listens: the first of its ports; 0 where nobody knows. */
  app: number;
  /** Where the service takes faults and tells its counters, if it does. */
  appAdmin?: number;
  /** Of its sidecar; absent where it has none, or none on that side; 0 where nobody knows its number. */
  inbound?: number;
  outbound?: number;
  proxyAdmin?: number;
}

export interface WorkloadDescription {
  /** `catalog-2`: also the name of its service process. */
  name: string;
  service: string;
  /** What its sidecar's certificate says; absent without mTLS. */
  identity?: string;
  /** Services and dependencies. */
  calls: readonly string[];
  /** Its calls through its own sidecar: `front/back` goes to the mesh's `back.podinfo`. */
  edges?: readonly { name: string; to: string; destination: string }[];
  /** Name of its sidecar's process. */
  proxy?: string;
  /** Its sidecar's admin address, where that is not a port of this machine. */
  admin?: string;
  ports: WorkloadPorts;
}

/** A TCP relay on one call, or what does its work: `front/redis` carries what front says to redis. */
export interface RelayDescription {
  name: string;
  /** The calling service. */
  from: string;
  /** The service or dependency that it leads to. */
  to: string;
  /** Name of its process. */
  process?: string;
  /** Where it takes faults: `http://127.0.0.1:4711`. */
  url: string;
  /** The kinds of faults that it knows, where not all. */
  kinds?: readonly string[];
  /** Where its leases do not lapse with whatever holds them. */
  undo?: Undo;
}

export interface SystemDescription {
  name: string;
  /** `retail`'s own kind, `processes`, ...: for people. */
  kind: string;
  /** Whether all of it is up; its ports are known before. */
  ready: boolean;
  /** Why it will not come up. */
  failure?: string;
  /** Of the metrics' `namespace` label. */
  namespace: string;
  /** Absent without mTLS, like the next two. */
  trustDomain?: string;
  certificateLifetimeMs?: number;
  controller?: { process: string; grpc: number; admin: number };
  /** Where a client's requests go. */
  url: string;
  workloads: WorkloadDescription[];
  /** Outside addresses that the services call. */
  dependencies: string[];
  relays: RelayDescription[];
  processes: ProcessDescription[];
  /** Where Prometheus finds metrics. */
  targets: Target[];
  /** The kinds of faults that its supervisor and its services hold; those of sidecars and relays go by themselves. */
  faults: string[];
  /** Processes with a disk of their own, which can be filled. */
  disks?: string[];
  /** Where its keys and its registry are, on this machine. */
  folder?: string;
  /** Processes that can be made to leak, where not all. */
  leaking?: string[];
  /** Faults by commands of the user's, held by whatever answers at `admin`. */
  commands?: { name: string; title?: string; undo: Undo }[];
  /** Of a cluster: what kinds of faults with such targets may strike. */
  objects?: Partial<Record<'scaled' | 'pods' | 'limited' | 'throttled' | 'secret', string[]>>;
}

export interface ProcessDescription {
  name: string;
  /** `service`, `proxy`, `controller`, `relay`. */
  kind: string;
  /** 0 while it is not there. */
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
  /** As it was when it was asked last. */
  readonly description: SystemDescription;
  /** Processes come and go: asks anew. */
  refresh(): Promise<void>;
  /** The admin address of whatever holds faults of processes and of the system as a whole. */
  readonly admin: string;
  /** Undefined where it has no controller. */
  readonly controllerAdmin: string | undefined;
  /** All workloads of a service, or the workload of that name. */
  workloads(name: string): WorkloadDescription[];
  /** Undefined where the workload has no sidecar. */
  proxyAdmin(workload: WorkloadDescription): string | undefined;
  /** Undefined where the service takes no faults and tells no counters. */
  appAdmin(workload: WorkloadDescription): string | undefined;
  /** Relays of one call (`front/redis`), or all that lead to a service or dependency. */
  relays(target: string): RelayDescription[];
  /** Every address that takes faults: where a residue would be. */
  injectionPoints(): { name: string; url: string }[];
  /** What Prometheus scrapes; without the sidecars where asked for. */
  targets(which?: 'all' | 'without-proxies'): Target[];
  /** The counters of a service, all its workloads together. */
  counters(service: string): Promise<Record<string, number>>;
  /** What happened to processes and certificates so far. */
  events(): Promise<TimelineEvent[]>;
  /** What it has to say in the report beside what every system has. */
  sections(): Promise<ReportSection[]>;
  /** A process is stopped (it drains) and started again. */
  restart(process: string): Promise<void>;
  /** Publishes new configuration; resolves to its revision. */
  publish(): Promise<number>;
  /** Every workload takes a new certificate. */
  renewCertificates(): Promise<void>;
}
