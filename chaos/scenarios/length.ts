/** The longest duration of a scenario. */
import type { Scenario } from './schema.js';

/** The longest nominal duration: baseline, fault or arms, recovery. */
export function longestOf({ baseline, fault, arms, recovery }: Scenario): number {
  const middle = arms
    ? arms.runs.length * (arms.triggerFor + arms.observeFor)
    : (fault?.atMost ?? 0);
  return baseline + middle + recovery;
}
