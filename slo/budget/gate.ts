/** The error budget policy: whether a release may go out, with the reasons. */
import type { BudgetState } from './state.js';

export interface GatePolicy {
  /** Releases stop if less than this share of the budget remains. */
  minRemaining: number;
  /** Releases also stop if the burn rate of the last hour exceeds this. */
  maxBurn: number;
}

export const defaultPolicy: GatePolicy = { minRemaining: 0.1, maxBurn: 3 };

export interface GateDecision {
  open: boolean;
  /** Reasons for a closed gate; empty if it is open. */
  reasons: string[];
}

const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;

const leftText = (share: number): string =>
  share >= -1
    ? `${percent(share)} of the error budget is left`
    : `the error budget is spent ${(1 - share).toFixed(1)} times over`;

/** Why a budget says nothing, whatever is left of it; undefined if it does. */
export function emptyText({ slo, rolling, measured }: BudgetState): string | undefined {
  const lack = !measured
    ? 'nothing was measured in the last hour'
    : rolling.total === 0
      ? 'no event in its period'
      : undefined;
  return lack === undefined ? undefined : `${slo.id}: ${lack}, so nothing shows that it works`;
}

/** Decides over several SLOs; one that closes the gate is enough. */
export function gateOf(states: readonly BudgetState[], policy: GatePolicy): GateDecision {
  const reasons: string[] = [];
  for (const state of states) {
    const { slo, rolling, month, burnRate } = state;
    const spending = slo.period.calendar === 'month' ? month : rolling;
    const empty = emptyText(state);
    if (empty !== undefined) reasons.push(empty);
    if (rolling.total === 0) continue;
    const { worst } = state;
    const group = worst !== undefined && worst.remaining < spending.remaining ? worst : undefined;
    const { remaining } = group ?? spending;
    if (remaining < policy.minRemaining) {
      reasons.push(
        `${slo.id}${group ? ` of ${group.group}` : ''}: ${leftText(remaining)}, ` +
          `below the ${percent(policy.minRemaining)} at which releases stop`,
      );
    }
    if (burnRate !== undefined && burnRate > policy.maxBurn) {
      reasons.push(
        `${slo.id}: the budget burns ${burnRate.toFixed(1)} times faster than allowed in the last hour, ` +
          `above ${policy.maxBurn}`,
      );
    }
  }
  return { open: reasons.length === 0, reasons };
}
