/** Reduces a line to the points that a picture can show, and keeps names from overlapping. */

export type Point = readonly [number, number | null];

/** Points within a window, at most two for each column (its lowest and highest), so that no peak is lost. */
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

/** Heights of labels near their lines, moved apart so that no label covers another. */
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
