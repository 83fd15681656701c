/** Finds the network namespace of a pod through its processes. */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { proxyUserId } from './redirection.js';

/** A network namespace that is held open, so that it stays the same one after its process has ended. */
export interface PodNetwork {
  /** The kernel's number of this namespace: a pod whose sandbox was made anew has another. */
  id: number;
  /** A path to the namespace, valid until `close`. */
  path: string;
  close(): void;
}

/** The pod's uid in a control group's path: cgroupfs writes it as it is, systemd with `_` for `-`. */
const podUid = /[/-]pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})\b/;

/** The pod that a process belongs to, by the text of its /proc/PID/cgroup. */
export const podOf = (cgroup: string): string | undefined =>
  podUid.exec(cgroup)?.[1]?.replaceAll('_', '-');

/** The processes through which a pod's network is found. */
export interface PodProcesses {
  /** Any: the first of a pod holds its network, and runs before its containers. */
  first: number;
  /** One of the proxy's user. */
  proxy?: number;
}

/** By its number, how often a process was seen that belongs to no pod. */
export type Strangers = Map<number, number>;

/** A container's process begins in its runtime's control group, so one look is not enough. */
const strangerAfter = 20;

/** By each pod's uid. Processes that have been strangers often enough are passed over. */
export function podProcesses(strangers: Strangers, proc = '/proc'): Map<string, PodProcesses> {
  const found = new Map<string, PodProcesses>();
  for (const name of readdirSync(proc)) {
    const pid = Number(name);
    const looks = strangers.get(pid) ?? 0;
    if (!Number.isInteger(pid) || looks >= strangerAfter) continue;
    try {
      const pod = podOf(readFileSync(join(proc, name, 'cgroup'), 'utf8'));
      if (pod === undefined) {
        strangers.set(pid, looks + 1);
        continue;
      }
      const isProxy = statSync(join(proc, name)).uid === proxyUserId;
      found.set(pod, { first: pid, ...found.get(pod), ...(isProxy && { proxy: pid }) });
    } catch {
      // The process has ended.
    }
  }
  return found;
}

/** Undefined: the process has ended, or its namespace is the node's, whose traffic must never be redirected. */
export function networkOf(pid: number, proc = '/proc'): PodNetwork | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(join(proc, String(pid), 'ns', 'net'), 'r');
  } catch {
    return undefined;
  }
  const close = (): void => closeSync(descriptor);
  const id = fstatSync(descriptor).ino;
  // The redirector's own namespace is the node's.
  if (id !== statSync(join(proc, 'self', 'ns', 'net')).ino)
    return { id, path: `/proc/${process.pid}/fd/${descriptor}`, close };
  close();
  return undefined;
}
