/**
 * The hook before a proxy's end, for pods whose containers the kubelet ends all at once: the hook ends when no other
 * container of the pod listens or is connected, so that an app can finish its work. The pod's grace period limits the
 * hook.
 */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from '../../../base/paths.js';
import { proxyUserId } from './redirection.js';

const lookMs = 200;
/** Number of consecutive quiet checks, because an app between two connections has not ended. */
const quietLooks = 5;

const established = '01';
const listening = '0A';

/** Lines of /proc/net/tcp: `sl local remote st tx:rx tr:when retrnsmt uid …`, the same for each process of a pod. */
export function isInUse(table: string, ownUser: number): boolean {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .some((f) => (f[3] === established || f[3] === listening) && Number(f[7]) !== ownUser);
}

const tables = ['/proc/net/tcp', '/proc/net/tcp6'].filter(existsSync);
const look = (): boolean => tables.some((t) => isInUse(readFileSync(t, 'utf8'), proxyUserId));

if (process.argv[1] === program('mesh/kubernetes/inject/hold'))
  for (let quiet = 0; quiet < quietLooks; quiet = look() ? 0 : quiet + 1) await sleep(lookMs);
