/** Records which rules the tests covered: alerts that fired and stayed quiet, recorded series that were read. */
import { parse, PromqlError, walk } from '../../../slo/promql/index.js';
import type { Matcher } from '../../../slo/promql/index.js';
import type { ReadGroup, ReadRule } from '../../rules/read.js';

export interface RuleCoverage {
  rule: ReadRule;
  name: string;
  group: string;
  covered: boolean;
  /** The reason: `fired and quiet`, `never fired`, `used by a tested rule` and others. */
  how: string;
}

const selectorCache = new Map<string, (readonly Matcher[])[]>();
const cacheMax = 20_000;

/** The matchers of every selector in an expression; empty if the expression does not parse. */
export function selectorsOf(expr: string): (readonly Matcher[])[] {
  let found = selectorCache.get(expr);
  if (!found) {
    found = [];
    const list = found;
    try {
      walk(parse(expr), (node) => {
        if (node.kind === 'selector') list.push(node.matchers);
      });
    } catch (error) {
      if (!(error instanceof PromqlError)) throw error;
    }
    if (selectorCache.size >= cacheMax) selectorCache.clear();
    selectorCache.set(expr, found);
  }
  return found;
}

/** Metric names that an expression selects by equality. */
export const namesIn = (expr: string): string[] =>
  selectorsOf(expr).flatMap((matchers) =>
    matchers.filter((m) => m.name === '__name__' && m.op === '=').map((m) => m.value),
  );

export class Witness {
  readonly #fired = new Set<string>();
  readonly #quiet = new Set<string>();
  readonly #names = new Set<string>();

  sawAlert(alertname: string, fired: boolean): void {
    (fired ? this.#fired : this.#quiet).add(alertname);
  }

  sawExpr(expr: string): void {
    for (const name of namesIn(expr)) this.#names.add(name);
  }

  /** The coverage of every rule in the groups; a rule that a covered rule reads is covered, too. */
  coverage(groups: readonly ReadGroup[]): RuleCoverage[] {
    const all = groups.flatMap((group) => group.rules.map((rule) => ({ group: group.name, rule })));
    const used = new Set(this.#names);
    const tested = all.filter(
      ({ rule }) => rule.rule.kind === 'alert' && this.#fired.has(rule.rule.alert),
    );
    const open = tested.map(({ rule }) => rule.rule.expr);
    const records = new Map<string, string[]>();
    for (const { rule } of all) {
      if (rule.rule.kind !== 'record') continue;
      const known = records.get(rule.rule.record);
      if (known) known.push(rule.rule.expr);
      else records.set(rule.rule.record, [rule.rule.expr]);
    }
    for (const name of this.#names) open.push(...(records.get(name) ?? []));
    while (open.length > 0) {
      for (const name of namesIn(open.pop() as string)) {
        if (used.has(name)) continue;
        used.add(name);
        open.push(...(records.get(name) ?? []));
      }
    }
    return all.map(({ group, rule }) => ({ group, rule, ...this.#judge(rule, used) }));
  }

  #judge(read: ReadRule, used: ReadonlySet<string>): Omit<RuleCoverage, 'rule' | 'group'> {
    const { rule } = read;
    if (rule.kind === 'record') {
      const covered = used.has(rule.record);
      const direct = this.#names.has(rule.record);
      const how = direct ? 'queried by a test' : covered ? 'read by a tested rule' : 'not tested';
      return { name: rule.record, covered, how };
    }
    const fired = this.#fired.has(rule.alert);
    const quiet = this.#quiet.has(rule.alert);
    const how = fired
      ? quiet
        ? 'fires and stays quiet'
        : 'fires; never seen quiet'
      : quiet
        ? 'never fires'
        : 'not tested';
    return { name: rule.alert, covered: fired, how };
  }
}
