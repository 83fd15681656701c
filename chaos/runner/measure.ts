/** Reads one measure, from the client's points or by PromQL; no data means no value, never a good one. */
import type { Watch } from '../../alerts/watch/index.js';
import type { MeasureRecord } from '../../runbooks/record.js';
import { type LoadPoint, type LoadPoints, totalsOf } from '../load/points.js';
import type { ClientMeasure } from '../scenarios/fields.js';

export interface Question {
  client?: ClientMeasure | undefined;
  route?: string | undefined;
  promql?: string | undefined;
  /** With a bound below, the lowest of several series is the worst; otherwise the highest. */
  atLeast?: number | undefined;
  below?: number | undefined;
}

export interface Bound {
  atMost?: number | undefined;
  atLeast?: number | undefined;
}

export interface Stretch {
  startMs: number;
  endMs: number;
}

export interface Sources {
  points: LoadPoints;
  watch: Pick<Watch, 'query'>;
  /** Converts the nominal ranges in a query to real ones. */
  fill(template: string): string;
}

/** The client's measure over the stretch, or the query's worst value at the stretch's end. */
export async function valueOf(
  question: Question,
  stretch: Stretch,
  sources: Sources,
): Promise<number | undefined> {
  if (question.client !== undefined) {
    const points = sources.points.between(stretch.startMs, stretch.endMs, question.route);
    return clientValue(question.client, points, stretch);
  }
  const samples = await sources.watch.query(sources.fill(question.promql ?? ''), stretch.endMs);
  const values = samples.map((s) => s.value).filter((v) => !Number.isNaN(v));
  if (values.length === 0) return undefined;
  const isFloor = question.atLeast !== undefined || question.below !== undefined;
  return values.reduce((worst, value) => (isFloor === value < worst ? value : worst));
}

export function clientValue(
  measure: ClientMeasure,
  points: readonly LoadPoint[],
  stretch: Stretch,
): number | undefined {
  if (points.length === 0) return measure === 'requestsPerSecond' ? 0 : undefined;
  const totals = totalsOf(points);
  switch (measure) {
    case 'errorRatio':
      return totals.errors / totals.requests;
    case 'errors':
      return totals.errors;
    case 'requestsPerSecond':
      return totals.requests / ((stretch.endMs - stretch.startMs) / 1000);
    default:
      return totals[measure];
  }
}

export const holds = (value: number | undefined, bound: Bound): boolean =>
  value !== undefined &&
  (bound.atMost === undefined || value <= bound.atMost) &&
  (bound.atLeast === undefined || value >= bound.atLeast);

export const boundText = (bound: Bound): string =>
  bound.atMost === undefined ? `>= ${bound.atLeast}` : `<= ${bound.atMost}`;

export const exprText = (question: Question): string =>
  question.promql ??
  `${question.client}${question.route === undefined ? '' : ` of ${question.route}`}`;

export async function measure(
  item: Question & Bound & { name: string; unit?: string },
  stretch: Stretch,
  sources: Sources,
): Promise<MeasureRecord> {
  const value = await valueOf(item, stretch, sources).catch(() => undefined);
  return {
    name: item.name,
    source: item.client === undefined ? 'promql' : 'client',
    expr: exprText(item),
    bound: boundText(item),
    unit: item.unit ?? '',
    ...(value !== undefined && { value }),
    held: holds(value, item),
  };
}
