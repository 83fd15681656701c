/** Axes: round ticks for values, shares of time and powers of ten, and the scales between them and a picture. */

/** 1, 2 or 5 times a power of ten, at least `rough`. */
export function niceStep(rough: number): number {
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough * 0.999) as number;
  return step * power;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
/** Steps of a clock and of a calendar, in milliseconds. */
const timeSteps = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 30].map((n) => n * day),
];

/** Multiples of `step` from `min` to `max`, both included; 100 at most. */
function multiples(min: number, max: number, step: number): number[] {
  const ticks: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) {
    if (ticks.length === 100) break;
    // 3 * 0.1 is no round number; it is one again at twelve digits.
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

/** What an axis spans, and its ticks. */
export interface Range {
  min: number;
  max: number;
  ticks: number[];
  /** By powers of ten. */
  log?: true;
}

/** From a round number to a round number over what is drawn, with `count` intervals or fewer. */
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

/** From `min` to a power of ten at or above `max`; what is below `min`, zero too, stands at its end. */
export function logRange(min: number, max: number): Range {
  const most = Number.isFinite(max) ? max : min;
  const end = Math.max(min * 100, 10 ** Math.ceil(Math.log10(Math.max(min, most)) - 1e-9));
  return { min, max: end, ticks: logTicks(min, end), log: true };
}

/** Round values within the stretch, with `count` intervals or fewer. */
export const linearTicks = (min: number, max: number, count: number): number[] =>
  max > min ? multiples(min, max, niceStep((max - min) / count)) : [min];

/** Whole seconds, minutes, hours or days (of UTC) within the stretch, with about `count` intervals or fewer. */
export function timeTicks(startMs: number, endMs: number, count: number): number[] {
  if (!(endMs > startMs)) return [startMs];
  const rough = (endMs - startMs) / count;
  const step = timeSteps.find((s) => s >= rough) ?? day * niceStep(rough / day);
  return multiples(startMs, endMs, step);
}

/** Powers of ten within the stretch, both ends above 0. */
export function logTicks(min: number, max: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.ceil(Math.log10(min) - 1e-9); 10 ** power <= max * 1.000001; power++) {
    ticks.push(Number((10 ** power).toPrecision(12)));
  }
  return ticks;
}

/** Where a value stands, kept within the range. */
export type Scale = (value: number) => number;

export const linearScale =
  ([from, to]: readonly [number, number], [start, end]: readonly [number, number]): Scale =>
  (value) => {
    const share = to === from ? 0 : (value - from) / (to - from);
    return start + Math.max(0, Math.min(1, share)) * (end - start);
  };

/** Of a logarithmic axis; whatever is at or below its lower end stands there. */
export function logScale(
  [from, to]: readonly [number, number],
  range: readonly [number, number],
): Scale {
  const linear = linearScale([Math.log10(from), Math.log10(to)], range);
  return (value) => linear(Math.log10(Math.max(from, value)));
}

/** `14:05:30`, `14:05` or `29 Nov`: as much of a moment (UTC) as its neighbours on the axis need. */
export function tickTime(ms: number, stepMs: number): string {
  const iso = new Date(ms).toISOString();
  if (stepMs >= day) {
    const month = 'JanFebMarAprMayJunJulAugSepOctNovDec'.slice(3 * Number(iso.slice(5, 7)) - 3);
    return `${Number(iso.slice(8, 10))} ${month.slice(0, 3)}`;
  }
  return stepMs >= minute ? iso.slice(11, 16) : iso.slice(11, 19);
}
