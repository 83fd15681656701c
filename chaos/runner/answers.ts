/**
 * Decides whether a runbook's question has another answer under a fault than before the fault. The question is asked
 * twice before the fault, so that a value that always moves (a counter, a clock, a random choice) counts as no
 * difference.
 */

/** The answer to one question: the values of series by their labels, or a command's lines, each with its numbers. */
export interface Answer {
  atMs: number;
  values: ReadonlyMap<string, number>;
}

/**
 * The share of a value by which it may move in a steady state, in addition to twice the move between the first two
 * answers.
 */
const steadyShare = 0.25;

export function differs(first: Answer, second: Answer, under: Answer): boolean {
  for (const key of under.values.keys()) {
    if (!first.values.has(key) && !second.values.has(key)) return true;
  }
  for (const [key, one] of first.values) {
    const two = second.values.get(key);
    // The line was missing from the second answer, so its absence means nothing.
    if (two === undefined) continue;
    const now = under.values.get(key);
    if (now === undefined) return true;
    if (Number.isNaN(one) || Number.isNaN(two) || Number.isNaN(now)) {
      if (Number.isNaN(now) !== Number.isNaN(two)) return true;
      continue;
    }
    const spread = Math.abs(two - one);
    const tolerance = Math.max(2 * spread, steadyShare * Math.abs(two), 1e-9);
    // A value that moves evenly, such as the remaining time, is compared with its extrapolation.
    const perMs = spread / Math.max(1, second.atMs - first.atMs);
    const due = two + Math.sign(two - one) * perMs * (under.atMs - second.atMs);
    if (Math.abs(now - two) > tolerance && Math.abs(now - due) > tolerance) return true;
  }
  return false;
}

/** A command's output: each line without its numbers, the number of its occurrences, and the command's exit. */
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
