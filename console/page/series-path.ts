/** The path of a series with gaps. */
import type { Scale } from '../../base/axis.js';

/** Milliseconds since the epoch, and the value. */
export type Points = readonly (readonly [number, number])[];

/** A gap longer than this many steps is drawn as a gap. */
const gapSteps = 3.5;

/** A point between two gaps is a short dash. */
export function pathOf(points: Points, x: Scale, y: Scale): string {
  const steps = points.slice(1).map(([t], i) => t - (points[i]?.[0] ?? t));
  const gap = gapSteps * Math.min(Infinity, ...steps);
  const pieces: string[][] = [];
  let lastMs = -Infinity;
  for (const [t, v] of points) {
    const isJoined = pieces.length > 0 && t - lastMs <= gap;
    lastMs = Number.isFinite(v) ? t : -Infinity;
    if (!Number.isFinite(v)) continue;
    const at = `${x(t).toFixed(1)},${y(v).toFixed(1)}`;
    if (isJoined) pieces.at(-1)?.push(at);
    else pieces.push([at]);
  }
  return pieces.map((own) => `M${own.join('L')}${own.length === 1 ? 'h2' : ''}`).join('');
}
