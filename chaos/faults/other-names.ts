/** Faults by the names that other tools give them, and those that nothing here can do. */
import { suggest } from '../../base/suggest.js';
import { faultKindNames } from './kinds.js';

const noClock =
  "identity-skew, which dates certificates off: no process's clock can be changed while it runs";

const others: [names: RegExp, text: string][] = [
  [/^(clock|time)/, noClock],
  [/^dns$/, 'dns-fails, dns-wrong or dns-slow'],
  [/^(netem|network|packet-?loss|jitter|corrupt|duplicate|reorder)/, 'latency, loss or bandwidth'],
  [/^(disk|fill|io)/, 'disk-full'],
  [/^(oom|mem)/, 'memory'],
  [/^(stress|cpu)/, 'cpu or memory'],
  [/^(http|error|status)/, 'abort, delay or reset'],
  [/^(stop|terminate|crash|pod)/, 'kill or pause'],
];

/** Names the wrong kind, and the nearest one, or those that do the same. */
export function noFaultKind(written: unknown): string {
  const kind = typeof written === 'string' ? written : '';
  const [, other] = others.find(([names]) => names.test(kind)) ?? [];
  const wrong =
    written === undefined ? 'there is no kind' : `there is no fault '${String(written)}'`;
  const text = other ?? suggest(kind, faultKindNames) ?? faultKindNames.join(', ');
  return `${wrong}; expected ${text} (firedrill gameday faults)`;
}
