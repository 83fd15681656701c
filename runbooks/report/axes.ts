/** Scales with round numbers, and lines that fit them. */
import { niceStep } from '../../base/axis.js';

export interface Scale {
  min: number;
  max: number;
  ticks: number[];
}

/** A scale over what is drawn, with `count` intervals or fewer. */
export function scaleOver(min: number, max: number, count: number): Scale {
  const low = Number.isFinite(min) ? min : 0;
  const high = Number.isFinite(max) && max > low ? max : low + 1;
  const step = niceStep((high - low) / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks: number[] = [];
  for (let i = first; i <= last && ticks.length < 50; i++) ticks.push(i * step);
  return { min: first * step, max: (ticks.at(-1) as number) || step, ticks };
}

/** The value axis of a panel: success is a share that ends at 100%, everything else begins at 0. */
export function valueScale(panel: string, values: readonly number[], ceiling?: number): Scale {
  const finite = values.filter((v) => Number.isFinite(v));
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  if (panel === 'success') {
    // Less than a per cent of errors still gets a whole per cent of height.
    const from = Math.max(0, Math.min(low, 0.99));
    const scale = scaleOver(from, 1, 3);
    return { ...scale, ticks: scale.ticks.filter((t) => t <= 1.0001), max: 1 };
  }
  const floor = panel === 'retries' ? 0.2 : panel === 'burn' ? 2 : 0;
  // Only the life of a certificate can be negative; elsewhere it is the noise of an extrapolation.
  const bottom = panel === 'certificates' ? Math.min(0, low) : 0;
  return scaleOver(bottom, Math.max(Math.min(high, ceiling ?? high), floor), 3);
}

type Point = readonly [number, number | null];

/** Points of a window, thinned to two a column (its lowest and highest), so that no peak is lost. */
export function pointsWithin(
  points: readonly Point[],
  startMs: number,
  endMs: number,
  columns: number,
): Point[] {
  const inside = points.filter(([t]) => t >= startMs && t <= endMs);
  if (inside.length <= columns * 2) return inside;
  const width = (endMs - startMs) / columns;
  const kept: Point[] = [];
  let column = -1;
  let bucket: Point[] = [];
  const flush = (): void => {
    const real = bucket.filter((p): p is readonly [number, number] => p[1] !== null);
    if (real.length === 0) return void kept.push(...bucket.slice(0, 1));
    const low = real.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = real.reduce((a, b) => (b[1] > a[1] ? b : a));
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  };
  for (const point of inside) {
    const own = Math.floor((point[0] - startMs) / width);
    if (own !== column) {
      flush();
      bucket = [];
      column = own;
    }
    bucket.push(point);
  }
  flush();
  return kept;
}

/** Labels at their lines' heights, moved apart so that none covers another. */
export function spread(
  heights: readonly number[],
  gap: number,
  top: number,
  bottom: number,
): number[] {
  const order = heights.map((y, i) => ({ y, i })).sort((a, b) => a.y - b.y);
  let least = top;
  for (const label of order) {
    label.y = Math.max(label.y, least);
    least = label.y + gap;
  }
  let most = bottom;
  for (const label of order.toReversed()) {
    label.y = Math.min(label.y, most);
    most = label.y - gap;
  }
  const result = heights.map(() => 0);
  for (const { y, i } of order) result[i] = y;
  return result;
}
