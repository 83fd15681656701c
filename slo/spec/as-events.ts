/** Converts an SLI for formats that have two rates or a ratio; an SLI that they cannot express is an error. */
import { UserError } from '../../base/errors.js';
import { classicHistogram } from '../rules/increments.js';
import type { Sli, Slo } from './model.js';
import { isBareSelector, isSummedBy } from './query.js';

/** An SLI as two rates over `{{.window}}`, or a ratio; throws a UserError for an SLI of another kind. */
export function asEvents(slo: Slo, format: string): Extract<Sli, { kind: 'events' | 'ratio' }> {
  const { sli } = slo;
  const sum = (query: string): string =>
    isBareSelector(query) ? `sum(rate(${query.trim()}[{{.window}}]))` : query;
  if (slo.groupBy.length > 0) refuse(slo, format, 'an SLO by group');
  if (sli.kind === 'ratio' && sli.weight === undefined) return sli;
  if (sli.kind === 'latency' && !sli.native) {
    const { total, good } = classicHistogram(sli.histogram, sli.matchers, sli.threshold);
    return { kind: 'events', total: sum(total), bad: `${sum(total)} - ${sum(good)}` };
  }
  if (sli.kind !== 'events') return refuse(slo, format, `an SLI of kind ${sli.kind}`);
  const good = sum(sli.good ?? '');
  const less = isSummedBy(good, []) ? good : `(${good})`;
  const bad = sli.bad === undefined ? `${sum(sli.total)} - ${less}` : sum(sli.bad);
  return { kind: 'events', total: sum(sli.total), bad };
}

function refuse(slo: Slo, format: string, what: string): never {
  throw new UserError({
    ...(slo.place ? { place: slo.place } : {}),
    message: `${slo.id}: ${format} cannot say ${what}`,
    expected: 'another format, such as --to firedrill',
  });
}
