/** Axes: round ticks for values, times and powers of ten, and the scales from values to positions. */

/** 1, 2 or 5 times a power of ten, at least `rough`. */
function niceStep(rough: number): number {
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough * 0.999) as number;
  return step * power;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
/** Steps of a clock and a calendar, in milliseconds. */
const timeSteps = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 30].map((n) => n * day),
];

/** Multiples of `step` from `min` to `max` inclusive; at most 100. */
function multiples(min: number, max: number, step: number): number[] {
  const ticks: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) {
    if (ticks.length === 100) break;
    // Rounds to twelve digits, because 3 * 0.1 is not 0.3.
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

/** The span of an axis, and its ticks. */
export interface Range {
  min: number;
  max: number;
  ticks: number[];
  /** Whether the axis is logarithmic. */
  log?: true;
}

/** A range between round numbers that contains `min` and `max`, with at most `count` intervals. */
export function roundRange(min: number, max: number, count: number): Range {
  const low = Number.isFinite(min) ? min : 0;
  const high = Number.isFinite(max) && max > low ? max : low + 1;
  const step = niceStep((high - low) / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks: number[] = [];
  for (let i = first; i <= last && ticks.length < 50; i++) ticks.push(i * step);
  return { min: first * step, max: (ticks.at(-1) as number) || step, ticks };
}

/** A range from `min` to a power of ten at or above `max`; values below `min`, also zero, are drawn at `min`. */
export function logRange(min: number, max: number): Range {
  const most = Number.isFinite(max) ? max : min;
  const end = Math.max(min * 100, 10 ** Math.ceil(Math.log10(Math.max(min, most)) - 1e-9));
  return { min, max: end, ticks: logTicks(min, end), log: true };
}

/** Round values within the range, with at most `count` intervals. */
export const linearTicks = (min: number, max: number, count: number): number[] =>
  max > min ? multiples(min, max, niceStep((max - min) / count)) : [min];

/** Whole seconds, minutes, hours or days (UTC) within the span, with about `count` intervals or fewer. */
export function timeTicks(startMs: number, endMs: number, count: number): number[] {
  if (!(endMs > startMs)) return [startMs];
  const rough = (endMs - startMs) / count;
  const step = timeSteps.find((s) => s >= rough) ?? day * niceStep(rough / day);
  return multiples(startMs, endMs, step);
}

/** Powers of ten from `min` to `max`, both above 0. */
export function logTicks(min: number, max: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.ceil(Math.log10(min) - 1e-9); 10 ** power <= max * 1.000001; power++) {
    ticks.push(Number((10 ** power).toPrecision(12)));
  }
  return ticks;
}

/** The position of a value, clamped to the range. */
export type Scale = (value: number) => number;

export const linearScale =
  ([from, to]: readonly [number, number], [start, end]: readonly [number, number]): Scale =>
  (value) => {
    const share = to === from ? 0 : (value - from) / (to - from);
    return start + Math.max(0, Math.min(1, share)) * (end - start);
  };

/** The scale of a logarithmic axis; values below its lower end are drawn there. */
export function logScale(
  [from, to]: readonly [number, number],
  range: readonly [number, number],
): Scale {
  const linear = linearScale([Math.log10(from), Math.log10(to)], range);
  return (value) => linear(Math.log10(Math.max(from, value)));
}

/** A time in UTC as `14:05:30`, `14:05` or `29 Nov`, as precise as the axis's step requires. */
export function tickTime(ms: number, stepMs: number): string {
  const iso = new Date(ms).toISOString();
  if (stepMs >= day) {
    const month = 'JanFebMarAprMayJunJulAugSepOctNovDec'.slice(3 * Number(iso.slice(5, 7)) - 3);
    return `${Number(iso.slice(8, 10))} ${month.slice(0, 3)}`;
  }
  return stepMs >= minute ? iso.slice(11, 16) : iso.slice(11, 19);
}
