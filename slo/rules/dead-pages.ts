/** Finds pages that no error ratio can fire, because a factor times the budget exceeds 100%. */
import type { Problem } from '../../base/errors.js';
import { budgetRatio, type Slo } from '../spec/model.js';
import { planOf } from './plan.js';
import type { WindowTable } from './windows.js';

/** One problem for each SLO that has a page which cannot fire even if everything fails. */
export function deadPages(slos: readonly Slo[], windows?: WindowTable): Problem[] {
  return slos.flatMap((slo): Problem[] => {
    // Relative to the period's mean traffic, a burn can exceed all events of the moment.
    if (slo.alerting.page === false || slo.alerting.trafficWeighted) return [];
    const budget = budgetRatio(slo.objective);
    const pages = planOf(slo, windows ? { windows } : {}).windows.filter(
      (w) => w.severity === 'page',
    );
    const least = Math.min(...pages.map((w) => w.factor));
    if (pages.length === 0 || least * budget < 1) return [];
    const highest = Number((1 / budget).toPrecision(3));
    return [
      {
        ...(slo.place ? { place: slo.place } : {}),
        message:
          `${slo.id} can never page: ${least} times a budget of ${Number((budget * 100).toPrecision(6))}% ` +
          `is more than all events`,
        expected: `factors below ${highest} (alerting.windows or pageAbove), a higher objective, or page: false`,
      },
    ];
  });
}
