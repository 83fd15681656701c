/** What an alert must not come before: the death that it speaks of, another alert, the effect of one of the faults. */
import type { FaultRecord } from '../../runbooks/record.js';
import type { ProcessEvent } from '../system/model.js';
import type { Expected } from '../scenarios/schema.js';
import type { Firing } from './firings.js';

export interface Moment {
  /** In words: `catalog-2-proxy died`. */
  what: string;
  atMs: number | 'never';
}

export interface MomentSources {
  injectedMs: number;
  events: readonly ProcessEvent[];
  firings: readonly Firing[];
  faults: readonly FaultRecord[];
}

/** Undefined where the scenario asks for no order. */
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
