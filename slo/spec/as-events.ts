/** Converts an SLI for formats that have two rates or a ratio; an SLI that they cannot express is an error. */
import { UserError } from '../../base/errors.js';
import { classicHistogram } from '../rules/increments.js';
import type { Sli, Slo } from './model.js';
import { isBareSelector } from './query.js';
import { isGroupedBy } from './query-groups.js';

/** An SLI as two rates over `{{.window}}`, or a ratio; throws a UserError for an SLI of another kind. */
export function asEvents(slo: Slo, format: string): Extract<Sli, { kind: 'events' | 'ratio' }> {
  const { sli } = slo;
  const sum = (query: string): string => {
    if (isBareSelector(query)) return `sum(rate(${query.trim()}[{{.window}}]))`;
    return isGroupedBy(query, []) ? query : `sum(${query})`;
  };
  if (slo.groupBy.length > 0) refuse(slo, format, 'an SLO by group');
  if (sli.kind === 'ratio' && sli.weight === undefined) {
    return isGroupedBy(sli.error, []) ? sli : { ...sli, error: `avg(${sli.error})` };
  }
  if (sli.kind === 'latency' && !sli.native) {
    const { total, good } = classicHistogram(sli.histogram, sli.matchers, sli.threshold);
    return { kind: 'events', total: sum(total), bad: `${sum(total)} - ${sum(good)}` };
  }
  if (sli.kind !== 'events') return refuse(slo, format, `an SLI of kind ${sli.kind}`);
  const total = sum(sli.total);
  // Good events that never happened have no series; then all events are bad, as in our own rules.
  const bad =
    sli.bad === undefined ? `${total} - ${orNone(sum(sli.good ?? ''), total)}` : sum(sli.bad);
  return { kind: 'events', total, bad };
}

/** The events, or 0 of them while there is a total. */
export const orNone = (events: string, total: string): string => `((${events}) or 0 * (${total}))`;

function refuse(slo: Slo, format: string, what: string): never {
  throw new UserError({
    ...(slo.place ? { place: slo.place } : {}),
    message: `${slo.id}: ${format} cannot say ${what}`,
    expected: 'another format, such as --to firedrill',
  });
}
