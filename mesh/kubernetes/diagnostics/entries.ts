/** The 25 troubleshooting entries of the handbook, as programs. */
import { controlEntries } from './control.js';
import type { Entry, Facts, Finding } from './entry.js';
import { governanceEntries } from './governance.js';
import { telemetryEntries } from './telemetry.js';
import { trafficEntries } from './traffic.js';

export const entries: readonly Entry[] = [
  ...trafficEntries,
  ...telemetryEntries,
  ...controlEntries,
  ...governanceEntries,
];

export interface Diagnosis extends Finding {
  id: string;
  symptom: string;
}

/** The findings of the chosen entries; of all entries if none is chosen. */
export function diagnose(facts: Facts, ids: readonly string[] = []): Diagnosis[] {
  return entries
    .filter((e) => ids.length === 0 || ids.includes(e.id))
    .flatMap(({ id, symptom, find }) =>
      find(facts).map((finding) => ({ id, symptom, ...finding })),
    );
}

/** The entries that asked for objects that the caller may not list, each with these kinds. */
export function blindEntries(
  facts: Facts,
  unseen: readonly string[],
  ids: readonly string[] = [],
): Map<string, string[]> {
  const blind = new Map<string, string[]>();
  for (const { id, find } of entries.filter((e) => ids.length === 0 || ids.includes(e.id))) {
    const asked = new Set<string>();
    find({ ...facts, asked });
    const kinds = unseen.filter((kind) => asked.has(kind));
    if (kinds.length > 0) blind.set(id, kinds);
  }
  return blind;
}
