/** The value axis of each panel of the report. */
import { logRange, type Range, roundRange } from '../../base/axis.js';
import type { SeriesRecord } from '../record.js';

/** Burn rates below a tenth of the allowed rate are all as good as none. */
const leastBurn = 0.1;

/** Success ratios end at 100%, burn rates are logarithmic, all other values begin at 0. */
export function valueRange(
  panel: SeriesRecord['panel'],
  values: readonly number[],
  ceiling?: number,
): Range {
  const finite = values.filter((v) => Number.isFinite(v));
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  if (panel === 'success') {
    // Even less than one per cent of errors gets a whole per cent of height.
    const from = Math.max(0, Math.min(low, 0.99));
    const range = roundRange(from, 1, 3);
    return { ...range, ticks: range.ticks.filter((t) => t <= 1.0001), max: 1 };
  }
  if (panel === 'burn') return logRange(leastBurn, high);
  const floor = panel === 'retries' ? 0.2 : 0;
  // Only a certificate's lifetime can be negative; elsewhere a negative value is noise of an extrapolation.
  const bottom = panel === 'certificates' ? Math.min(0, low) : 0;
  return roundRange(bottom, Math.max(Math.min(high, ceiling ?? high), floor), 3);
}
