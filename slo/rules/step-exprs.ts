/** The step expressions of an SLO, with references to recorded series replaced by their expressions. */
import type { Slo } from '../spec/model.js';
import { type CompileOptions, planOf } from './plan.js';
import { badIncrease, totalIncrease } from './names.js';
import { stepRules } from './steps.js';
import { UserError } from '../../base/errors.js';

export interface StepExprs {
  bad: string;
  total: string;
}

/** `all` are the SLOs that a composite SLO may refer to. */
export function stepExprsOf(
  slo: Slo,
  all: ReadonlyMap<string, Slo>,
  options: CompileOptions,
  above: readonly string[] = [],
): StepExprs {
  if (above.includes(slo.id)) {
    throw new UserError(`${slo.id} is made of itself: ${[...above, slo.id].join(', ')}`);
  }
  const plan = planOf(slo, options);
  const rules = new Map(stepRules(plan, 'history').map((rule) => [rule.record, rule.expr]));
  const names = { bad: badIncrease(plan.stepMs), total: totalIncrease(plan.stepMs) };
  const recorded = /(slo:events_(?:bad|total):increase\w+)\{slo="([^"]+)"\}/g;
  const whole = (name: string, depth: number): string => {
    const expr = rules.get(name) ?? '';
    return expr.replace(recorded, (_, other: string, id: string) => {
      if (id === slo.id) return depth > 2 ? 'vector(0)' : `(${whole(other, depth + 1)})`;
      const part = all.get(id);
      if (!part)
        throw new UserError(`${slo.id} is made of ${id}, which is not among the SLOs given`);
      const exprs = stepExprsOf(part, all, options, [...above, slo.id]);
      return `(${other === names.bad ? exprs.bad : exprs.total})`;
    });
  };
  return { bad: whole(names.bad, 0), total: whole(names.total, 0) };
}
