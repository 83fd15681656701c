/** The steps of an SLO that is made of others: from their recorded steps, and not from raw series. */
import { formatDurationMs } from '../../base/duration.js';
import type { CompositePart, Sli } from '../spec/model.js';
import { catchUp } from './catch-up.js';
import { type StepOptions, sumBy } from './increments.js';
import { badIncrease, sloLabel, totalIncrease } from './names.js';
import { type Plan, scaled, stepsRange } from './plan.js';

type Composite = Extract<Sli, { kind: 'composite' }>;
type Side = 'bad' | 'total';

/** The events of one part and side, over so many steps. */
type EventsOf = (part: CompositePart, side: Side) => string;

/**
 * The total is there only if all parts have data: a part that is missing would otherwise count as perfect. Both sides
 * end a step ago, because a part may be in the middle of its latest one.
 */
export function compositeSteps(
  plan: Plan,
  sli: Composite,
  from: StepOptions['from'],
): Record<Side, string> {
  const names = { bad: badIncrease(plan.stepMs), total: totalIncrease(plan.stepMs) };
  const by = plan.slo.groupBy;
  const step = formatDurationMs(scaled(plan, plan.stepMs));
  const over =
    (steps: number): EventsOf =>
    (part, side) => {
      const series = `${names[side]}{${sloLabel}="${part.slo}"}`;
      if (from === 'history') return sumBy(by, series);
      return sumBy(
        by,
        `sum_over_time(${series}${stepsRange(plan, steps * plan.stepMs)} offset ${step})`,
      );
    };
  const expr = (side: Side): string => {
    const once = (steps: number): string => sides[side](sli, over(steps));
    if (from === 'history') return once(1);
    const { stepMs } = plan;
    return catchUp(plan, { own: names[side], everyMs: stepMs, edgeMs: stepMs / 2, by, over: once });
  };
  return { bad: expr('bad'), total: expr('total') };
}

const sides: Record<Side, (sli: Composite, events: EventsOf) => string> = {
  total: ({ by, parts }, events) =>
    by === 'sum'
      ? weighted(parts, 'total', events)
      : `(${parts.map((part) => events(part, 'total')).join(' and ')})`,
  bad: ({ by, parts }, events) => {
    if (by === 'sum') return weighted(parts, 'bad', events);
    const first = events(parts[0] as CompositePart, 'total');
    const failing = parts.map((part) => errorRatio(part, events));
    if (by === 'fallback') return `${first} * ${failing.join(' * ')}`;
    const succeeding = parts.map(
      ({ weight }, i) => `(1 - ${weight === 1 ? '' : `${weight} * `}${failing[i]})`,
    );
    return `${first} * (1 - ${succeeding.join(' * ')})`;
  },
};

const weighted = (parts: readonly CompositePart[], side: Side, events: EventsOf): string =>
  `(${parts
    .map((part) => `${part.weight === 1 ? '' : `${part.weight} * `}${events(part, side)}`)
    .join(' + ')})`;

/** A part without events in this step has not failed: in a fallback, nobody needed it. */
const errorRatio = (part: CompositePart, events: EventsOf): string =>
  `clamp_max(${events(part, 'bad')} / clamp_min(${events(part, 'total')}, 1e-9), 1)`;
