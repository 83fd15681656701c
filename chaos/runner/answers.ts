/**
 * Whether a question of a runbook is answered otherwise under a fault than before it. It is asked twice before: what
 * moves by itself (a counter, a clock, a lot that is drawn) is then no difference.
 */

/** What one question was answered with: a series' value by its labels, or a command's lines, each with its numbers. */
export interface Answer {
  atMs: number;
  values: ReadonlyMap<string, number>;
}

/** A share of the value by which it may move in a steady state, beside twice what it moved between the first two. */
const steadyShare = 0.25;

export function differs(first: Answer, second: Answer, under: Answer): boolean {
  for (const key of under.values.keys()) {
    if (!first.values.has(key) && !second.values.has(key)) return true;
  }
  for (const [key, one] of first.values) {
    const two = second.values.get(key);
    // There once and not the second time: nothing is said by its absence.
    if (two === undefined) continue;
    const now = under.values.get(key);
    if (now === undefined) return true;
    if (Number.isNaN(one) || Number.isNaN(two) || Number.isNaN(now)) {
      if (Number.isNaN(now) !== Number.isNaN(two)) return true;
      continue;
    }
    const spread = Math.abs(two - one);
    const tolerance = Math.max(2 * spread, steadyShare * Math.abs(two), 1e-9);
    // What runs on evenly, such as the time that is left, is where it was bound to be.
    const perMs = spread / Math.max(1, second.atMs - first.atMs);
    const due = two + Math.sign(two - one) * perMs * (under.atMs - second.atMs);
    if (Math.abs(now - two) > tolerance && Math.abs(now - due) > tolerance) return true;
  }
  return false;
}

/** A command's output: each line without its numbers, how often it comes, and how the command ended. */
export function linesOf(output: string, code: number | string): Map<string, number> {
  const values = new Map([[`ended with ${code}`, 1]]);
  for (const line of output.split('\n').slice(0, 500)) {
    const words = line
      .replaceAll(/\d[\d.:]*(?:ms|s|m|h|d)?/g, '#')
      .replaceAll(/\s+/g, ' ')
      .trim();
    if (words !== '') values.set(words, (values.get(words) ?? 0) + 1);
  }
  return values;
}

export const seriesOf = (
  samples: readonly { labels: Readonly<Record<string, string>>; value: number }[],
): Map<string, number> =>
  new Map(
    samples.map(({ labels, value }) => [
      JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
      value,
    ]),
  );
