/**
 * Rules that were generated into a drill's rule files, which the drill generates too: each is evaluated once, since
 * twice it would count each event twice and page twice.
 */
import { UserError } from '../../base/errors.js';
import type { ReadGroup } from '../../alerts/rules/read.js';
import { compileSlos, type Rule, type RuleGroup, type Slo } from '../../slo/index.js';
import { parse, print } from '../../slo/promql/index.js';

/**
 * The groups without the rules of these SLOs, which the drill generates at its own step. Throws a UserError with the
 * place of each rule that is not what its SLO generates now: the drill would judge by another rule than production.
 */
export function withoutRulesOf(slos: readonly Slo[], read: readonly ReadGroup[]): ReadGroup[] {
  const generated = new Map(
    compileSlos(slos).flatMap(({ rules }) => rules.map((rule) => [identityOf(rule), rule])),
  );
  const problems = read.flatMap((group) =>
    group.rules.flatMap(({ rule, place }) => {
      const now = generated.get(identityOf(rule));
      if (!now || sameCondition(rule, now)) return [];
      return [
        {
          place,
          message: `${nameOf(rule)} is not the rule that the SLO '${rule.labels.slo}' of the drill generates`,
          expected: 'the output of firedrill slo generate -i, or a drill without slos',
        },
      ];
    }),
  );
  if (problems.length > 0) throw new UserError(problems);
  const left = read.map((group) => ({
    ...group,
    rules: group.rules.filter(({ rule }) => !generated.has(identityOf(rule))),
  }));
  return left.filter((group, i) => group.rules.length > 0 || read[i]?.rules.length === 0);
}

/** The groups without the rules that the files have in their own words. */
export function notIn(files: readonly RuleGroup[], groups: readonly RuleGroup[]): RuleGroup[] {
  const known = new Set(files.flatMap(({ rules }) => rules.map(identityOf)));
  const left = groups.map((group) => ({
    ...group,
    rules: group.rules.filter((rule) => !known.has(identityOf(rule))),
  }));
  return left.filter((group) => group.rules.length > 0);
}

const nameOf = (rule: Rule): string => (rule.kind === 'alert' ? rule.alert : rule.record);

/** The same for a rule at another time scale, or with more labels. */
const identityOf = (rule: Rule): string =>
  JSON.stringify([nameOf(rule), rule.labels.severity, rule.labels.slo]);

function sameCondition(a: Rule, b: Rule): boolean {
  if (print(parse(a.expr)) !== print(parse(b.expr))) return false;
  if (a.kind !== 'alert' || b.kind !== 'alert') return a.kind === b.kind;
  return a.forMs === b.forMs && a.keepFiringForMs === b.keepFiringForMs;
}
