/** The event that an alert must not precede: the death that it reports, another alert, or the effect of a fault. */
import type { FaultRecord, Firing } from '../../runbooks/record.js';
import type { ProcessEvent } from '../system/model.js';
import type { Expected } from '../scenarios/schema.js';

export interface Moment {
  /** A text such as `catalog-2-proxy died`. */
  what: string;
  atMs: number | 'never';
}

export interface MomentSources {
  injectedMs: number;
  events: readonly ProcessEvent[];
  firings: readonly Firing[];
  faults: readonly FaultRecord[];
}

/** Undefined if the scenario requires no order. */
export function momentOf(wanted: Expected, sources: MomentSources): Moment | undefined {
  const { notBefore } = wanted;
  if (!notBefore) return undefined;
  const { injectedMs } = sources;
  if ('exit' in notBefore) {
    const name = notBefore.exit;
    const deaths = sources.events.filter(
      (e) =>
        e.process === name &&
        (e.event === 'exited' || e.event === 'killed') &&
        e.atMs >= injectedMs,
    );
    return { what: `${name} died`, atMs: earliest(deaths.map((e) => e.atMs)) };
  }
  if ('alert' in notBefore) {
    const first = sources.firings.filter(
      (f) => f.name === notBefore.alert && f.firedAtMs >= injectedMs,
    );
    return { what: `${notBefore.alert} fired`, atMs: earliest(first.map((f) => f.firedAtMs)) };
  }
  const fault = sources.faults.find((f) => f.id === notBefore.fault);
  return { what: `the fault ${notBefore.fault} took effect`, atMs: fault?.confirmedMs ?? 'never' };
}

const earliest = (times: readonly number[]): number | 'never' =>
  times.length === 0 ? 'never' : Math.min(...times);
