/**
 * Edits every rule in small ways and finds out which edits the tests notice, which change nothing, and which survive.
 */
import { realpathSync } from 'node:fs';
import { UserError } from '../../../base/errors.js';
import { listFiles } from '../../../slo/index.js';
import { checkExpr } from '../../rules/engine.js';
import { type ReadGroup, type ReadRule, readRuleFile } from '../../rules/read.js';
import { readUnitFile, type TestGroup, type UnitFile } from '../unit/read.js';
import { runGroup } from '../unit/run.js';
import { namesIn, Witness } from '../unit/witness.js';
import { type Affected, affectedBy, withRule } from './affected.js';
import { type Mutation, type MutationKind, mutationsOf } from './mutations.js';
import { type Story, storyOf } from './story.js';
import { type Difference, tellApart } from './tell-apart.js';

export interface Mutant {
  read: ReadRule;
  name: string;
  mutation: Mutation;
  /**
   * `killed`: a test fails. `equivalent`: in all generated stories the mutant and its rule say the same, and the rule
   * fires in some of them and not in others. `survived`: a story shows a difference, or the rule fired in none or all
   * of the stories, so that nothing is known.
   */
  state: 'killed' | 'equivalent' | 'survived';
  /** A story in which a surviving mutant differs from its rule. */
  difference?: Difference;
}

export interface MutationResult {
  mutants: Mutant[];
  /** For each rule, the rules that tests for it need. */
  affected: ReadonlyMap<ReadRule, Affected>;
}

export interface MutateOptions {
  /** Only rules whose name matches are mutated. */
  only: RegExp | undefined;
  /** Whether survivors are searched for equivalent mutants, by generated stories. */
  stories: boolean;
  /** Ranges include both their ends, as before Prometheus 3. */
  closedRanges: boolean;
  progress(text: string): void;
}

interface Tests {
  unit: UnitFile;
  groups: ReadGroup[];
}

/**
 * Mutates the rules of `ruleFiles` and runs the tests of `testFiles` that load them. Throws a UserError if a file
 * cannot be read, if no test loads a rule file, or if the tests fail before any edit.
 */
export function mutate(
  ruleFiles: readonly string[],
  testFiles: readonly string[],
  options: MutateOptions,
): MutationResult {
  const read = new Map<string, ReadGroup[]>();
  const rulesOf = (file: string): ReadGroup[] => {
    const key = realpathOf(file);
    let groups = read.get(key);
    if (!groups) read.set(key, (groups = readRuleFile(file, { checkExpr })));
    return groups;
  };
  const tests = testFiles.map((file): Tests => {
    const unit = readUnitFile(file);
    return { unit, groups: unit.ruleFiles.flatMap(rulesOf) };
  });
  const targets = uniqueBy(listFiles(ruleFiles), realpathOf).map((file) => {
    const groups = rulesOf(file);
    if (!tests.some((t) => t.groups.some((g) => groups.includes(g)))) {
      throw new UserError(`no test loads ${file}, so that every edit of it would survive`);
    }
    return groups;
  });
  checkBaseline(tests, options);
  const mutants: Mutant[] = [];
  const affectedOf = new Map<ReadRule, Affected>();
  const all = targets.flat().flatMap((group) => group.rules);
  const chosen = all.filter((rule) => !options.only || options.only.test(nameOf(rule)));
  chosen.forEach((target, i) => {
    options.progress(`${i + 1} of ${chosen.length} rules: ${nameOf(target)}`);
    const { own, affected } = mutateRule(target, tests, options);
    mutants.push(...own);
    affectedOf.set(target, affected);
  });
  return { mutants, affected: affectedOf };
}

export const nameOf = ({ rule }: ReadRule): string =>
  rule.kind === 'alert' ? rule.alert : rule.record;

const realpathOf = (file: string): string => {
  try {
    return realpathSync(file);
  } catch {
    throw new UserError(`cannot read ${file}: no such file`);
  }
};

/** The first item of each key, so that a file named twice is mutated once. */
const uniqueBy = <T>(items: readonly T[], key: (item: T) => string): T[] =>
  [...new Map(items.toReversed().map((item) => [key(item), item])).values()].toReversed();

/** A test that already fails would kill every mutant. */
function checkBaseline(tests: readonly Tests[], options: MutateOptions): void {
  for (const { unit, groups } of tests) {
    for (const test of unit.tests) {
      const failure = runGroup(test, groups, runOptions(unit, options))[0];
      if (!failure) continue;
      throw new UserError({
        place: failure.place,
        message: `the tests fail before any rule is edited: ${failure.title}: ${failure.message}`,
        expected: 'tests that pass (firedrill alerts test)',
      });
    }
  }
}

const runOptions = (unit: UnitFile, { closedRanges }: MutateOptions) => ({
  evaluationIntervalMs: unit.evaluationIntervalMs,
  groupOrder: unit.groupOrder,
  fuzzy: unit.fuzzy,
  strict: false,
  closedRanges,
  witness: new Witness(),
});

/** The cases of a test whose result an edit could change. */
interface Relevant {
  unit: UnitFile;
  test: TestGroup;
  affected: Affected;
}

function mutateRule(
  target: ReadRule,
  tests: readonly Tests[],
  options: MutateOptions,
): { own: Mutant[]; affected: Affected } {
  const relevant: Relevant[] = [];
  let affected: Affected = { groups: [], alerts: new Set(), names: new Set() };
  for (const { unit, groups } of tests) {
    if (!groups.some((group) => group.rules.includes(target))) continue;
    affected = affectedBy(target, groups);
    for (const test of unit.tests) {
      const alerts = test.alerts.filter((c) => affected.alerts.has(c.alertname));
      const exprs = test.exprs.filter((c) => namesIn(c.expr).some((n) => affected.names.has(n)));
      if (alerts.length + exprs.length === 0) continue;
      relevant.push({ unit, test: { ...test, alerts, exprs }, affected });
    }
  }
  const own = mutationsOf(target.rule).map((mutation): Mutant => {
    const killed = relevant.some(
      ({ unit, test, affected: reach }) =>
        runGroup(test, withRule(reach.groups, target, mutation.rule), runOptions(unit, options))
          .length > 0,
    );
    const state = killed ? 'killed' : 'survived';
    return { read: target, name: nameOf(target), mutation, state };
  });
  const survivors = own.filter((m) => m.state === 'survived');
  if (options.stories && survivors.length > 0) {
    const { closedRanges } = options;
    const records = affected.groups.some((g) => g.rules.some((r) => r.rule.kind === 'record'));
    const bases = relevant.map(({ unit, test }): Story =>
      storyOf(unit, test, { records, closedRanges }),
    );
    const { differences, judged } = tellApart(
      target,
      survivors.map((m) => m.mutation),
      bases,
      affected,
      closedRanges,
    );
    survivors.forEach((mutant, i) => {
      const difference = differences[i];
      if (difference) mutant.difference = difference;
      else if (judged) mutant.state = 'equivalent';
    });
  }
  return { own, affected };
}

export interface Score {
  mutants: number;
  killed: number;
  equivalent: number;
  /** Percentage of the non-equivalent mutants that the tests kill; 100 if there are none. */
  percent: number;
  byKind: Partial<Record<MutationKind, { mutants: number; killed: number; equivalent: number }>>;
}

export function scoreOf(mutants: readonly Mutant[]): Score {
  const count = (list: readonly Mutant[]) => ({
    mutants: list.length,
    killed: list.filter((m) => m.state === 'killed').length,
    equivalent: list.filter((m) => m.state === 'equivalent').length,
  });
  const all = count(mutants);
  const rest = all.mutants - all.equivalent;
  const byKind: Score['byKind'] = {};
  for (const { mutation } of mutants) {
    byKind[mutation.kind] ??= count(mutants.filter((m) => m.mutation.kind === mutation.kind));
  }
  return {
    ...all,
    percent: rest === 0 ? 100 : Math.floor((1000 * all.killed) / rest) / 10,
    byKind,
  };
}
