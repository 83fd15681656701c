/** Checks the labels by which SLOs are grouped: a label that the rules set would make all groups one. */
import type { Problem } from '../../base/errors.js';
import {
  budgetSpentLabel,
  counterLabel,
  ownerLabel,
  reservedLabels,
  serviceLabel,
} from '../rules/names.js';
import type { Slo } from './model.js';

/** `added`: labels that a command adds to every rule. */
export function groupProblems(slos: readonly Slo[], added: readonly string[] = []): Problem[] {
  return slos.flatMap((slo) => {
    const set = labelsSetFor(slo, added);
    return slo.groupBy
      .filter((label) => set.includes(label))
      .map((label) => ({
        ...(slo.place ? { place: slo.place } : {}),
        message: `${slo.id} is grouped by ${label}, which is set alike for all its groups`,
        expected: 'another label, or no fixed value for this one',
      }));
  });
}

function labelsSetFor({ owner, labels, alerting }: Slo, added: readonly string[]): string[] {
  const severities = [alerting.page, alerting.ticket].map((s) => (s === false ? {} : s.labels));
  const own = Object.assign({}, labels, alerting.labels, ...severities) as object;
  return [
    ...reservedLabels.filter((label) => label !== serviceLabel),
    counterLabel,
    budgetSpentLabel,
    ...(owner === undefined ? [] : [ownerLabel]),
    ...Object.keys(own),
    ...added,
  ];
}
