/** promtool's notation of a series' points: `1 2 _ stale 0+10x5 5-1x3 7x2 _x4`, and native histograms. */
import type { Histogram } from '../../../slo/promql/index.js';
import { parseValues } from '../../../slo/promql/testing/series-values.js';
import { messageOf } from '../../../base/errors.js';
import { numberOf } from '../../watch/exposition.js';

export type Point = number | Histogram | 'stale' | undefined;

/** `offset` is the position of the mistake in the text. */
export class PointsError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const pointsMax = 20_000_000;

// Hexadecimal numbers are excluded: `0x5` is zero, repeated five more times.
const number = '[+-]?(?:(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?|[iI][nN][fF]|[nN][aA][nN])';
const item = new RegExp(
  `(?:(_)|(stale)|(${number})(?:([+-])\\s*(${number.replace('[+-]?', '')}))?)(?:x(\\d+))?(?=\\s|$)`,
  'y',
);

/** Native histograms, alone or as a series of additions, in the notation of the PromQL tests. */
const histogram = /\{\{[^}]*\}\}(?:[+-]\{\{[^}]*\}\})?(?:x\d+)?(?=\s|$)/y;

function addHistograms(points: Point[], written: string, offset: number): void {
  try {
    for (const value of parseValues(written)) {
      if (value.kind === 'histogram') points.push(value.histogram);
    }
  } catch (error) {
    throw new PointsError(messageOf(error), offset);
  }
}

/** One entry for each interval from the start; undefined where there is no point. */
export function parsePoints(text: string): Point[] {
  const points: Point[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (at >= text.length) return points;
    histogram.lastIndex = at;
    const written = histogram.exec(text)?.[0];
    if (written !== undefined) {
      addHistograms(points, written, at);
      at = histogram.lastIndex;
      continue;
    }
    item.lastIndex = at;
    const match = item.exec(text);
    if (!match) {
      const word = /^\S+/.exec(text.slice(at))?.[0] ?? '';
      throw new PointsError(`'${word}' is not a point; expected such as 1, _, stale or 0+10x5`, at);
    }
    addItem(points, match, at);
    at = item.lastIndex;
  }
}

function addItem(points: Point[], match: RegExpExecArray, offset: number): void {
  const [, blank, stale, first, sign, by, times] = match;
  const repeat = times === undefined ? undefined : Number(times);
  if (points.length + (repeat ?? 1) > pointsMax) {
    throw new PointsError(`more than ${pointsMax} points`, offset);
  }
  if (blank !== undefined) {
    for (let i = 0; i < (repeat ?? 1); i++) points.push(undefined);
    return;
  }
  if (by !== undefined && repeat === undefined) {
    throw new PointsError('a series of additions needs its count, as in 0+10x5', offset);
  }
  if (stale !== undefined) {
    for (let i = 0; i < (repeat === undefined ? 1 : repeat + 1); i++) points.push('stale');
    return;
  }
  // `xN` means N points after the first one.
  const step = by === undefined ? 0 : (sign === '-' ? -1 : 1) * (numberOf(by) as number);
  let value = numberOf(first as string) as number;
  for (let i = 0; i <= (repeat ?? 0); i++) {
    points.push(value);
    value += step;
  }
}
