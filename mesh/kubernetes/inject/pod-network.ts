/** Finds the network namespace of a pod through its proxy's process. */
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

/** By each pod's uid, a process of its proxy's user. */
export function proxyProcesses(proc = '/proc'): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (statSync(join(proc, name)).uid !== proxyUserId) continue;
      const pod = podOf(readFileSync(join(proc, name, 'cgroup'), 'utf8'));
      if (pod !== undefined) found.set(pod, Number(name));
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
