/** Compiles an SLO in stages; each is a pure function from the plan to the rules of one group. */
import type { Slo } from '../spec/model.js';
import { budgetSpentAlerts, burnAlert, noDataAlert } from './alerts.js';
import type { Rule, RuleGroup } from './model.js';
import { coarseStepMs, type CompileOptions, type Plan, planOf, scaled } from './plan.js';
import { coarseRatioRules, fineRatioRules, metadataRules } from './ratios.js';
import { coarseRules, sliceRules, stepRules } from './steps.js';

type GroupKind = 'fine' | 'slices' | 'coarse';

interface Stage {
  name: string;
  group: GroupKind;
  rules: (plan: Plan) => (Rule | undefined)[];
}

/** The order of evaluation: within a group, a rule sees the results of the rules above it. */
export const stages: readonly Stage[] = [
  { name: 'events of a step', group: 'fine', rules: stepRules },
  { name: 'slices of time', group: 'slices', rules: sliceRules },
  { name: 'ratios up to six hours', group: 'fine', rules: fineRatioRules },
  // In the group of the rules that they read, so that a page is not one evaluation late.
  { name: 'page', group: 'fine', rules: (plan) => [burnAlert(plan, 'page'), noDataAlert(plan)] },
  { name: 'coarse steps', group: 'coarse', rules: (plan) => coarseRules(plan) },
  { name: 'ratios of days', group: 'coarse', rules: coarseRatioRules },
  { name: 'objective and budget', group: 'coarse', rules: metadataRules },
  { name: 'ticket', group: 'coarse', rules: (plan) => [burnAlert(plan, 'ticket')] },
  { name: 'budget spent', group: 'coarse', rules: budgetSpentAlerts },
];

/** The rule groups of one SLO; pure: equal input gives equal bytes. */
export function compileSlo(slo: Slo, options: CompileOptions = {}): RuleGroup[] {
  const plan = planOf(slo, options);
  const group = (kind: GroupKind, name: string, nominalMs: number): RuleGroup => ({
    name,
    intervalMs: scaled(plan, nominalMs),
    rules: stages
      .filter((stage) => stage.group === kind)
      .flatMap((stage) => stage.rules(plan))
      .filter((rule) => rule !== undefined),
  });
  const sliceMs = slo.sli.kind === 'slices' ? slo.sli.lengthMs : coarseStepMs;
  return [
    group('fine', `slo-${slo.id}`, plan.stepMs),
    group('slices', `slo-${slo.id}-slices`, sliceMs),
    group('coarse', `slo-${slo.id}-long`, coarseStepMs),
  ].filter((g) => g.rules.length > 0);
}

/** The rule groups of all SLOs, in the given order. */
export function compileSlos(slos: readonly Slo[], options: CompileOptions = {}): RuleGroup[] {
  const taken = new Set<string>();
  // The SLO `a-long` and the long windows of `a` would have groups of one name, which Prometheus refuses in a file.
  return slos
    .flatMap((slo) => compileSlo(slo, options))
    .map((group) => {
      let { name } = group;
      while (taken.has(name)) name += '-group';
      taken.add(name);
      return { ...group, name };
    });
}
