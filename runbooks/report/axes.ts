/** The value axis of each panel of the report. */
import { logRange, type Range, roundRange } from '../../base/axis.js';
import type { SeriesRecord } from '../record.js';

/** Burns below a tenth of what is allowed are all as good as none. */
const leastBurn = 0.1;

/** Success is a share that ends at 100%, burn rates grow by tens, everything else begins at 0. */
export function valueRange(
  panel: SeriesRecord['panel'],
  values: readonly number[],
  ceiling?: number,
): Range {
  const finite = values.filter((v) => Number.isFinite(v));
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  if (panel === 'success') {
    // Less than a per cent of errors still gets a whole per cent of height.
    const from = Math.max(0, Math.min(low, 0.99));
    const range = roundRange(from, 1, 3);
    return { ...range, ticks: range.ticks.filter((t) => t <= 1.0001), max: 1 };
  }
  if (panel === 'burn') return logRange(leastBurn, high);
  const floor = panel === 'retries' ? 0.2 : 0;
  // Only the life of a certificate can be negative; elsewhere it is the noise of an extrapolation.
  const bottom = panel === 'certificates' ? Math.min(0, low) : 0;
  return roundRange(bottom, Math.max(Math.min(high, ceiling ?? high), floor), 3);
}
