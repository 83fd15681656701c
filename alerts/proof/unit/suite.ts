/** Reads and runs whole files of unit tests, and prints the results. */
import { type Clock } from '../../../base/clock.js';
import { formatDurationMs } from '../../../base/duration.js';
import { messageOf, UserError } from '../../../base/errors.js';
import { checkExpr } from '../../rules/engine.js';
import { type ReadGroup, readRuleFile } from '../../rules/read.js';
import type { JunitSuite } from '../../../base/junit.js';
import { inputName } from '../../../base/input.js';
import { type ExprCase, readUnitFile } from './read.js';
import { type Failure, type GroupResult, runGroup } from './run.js';
import { type RuleCoverage, Witness } from './witness.js';

export interface SuiteOptions {
  run: RegExp | undefined;
  strict: boolean;
  ignoreUnknownFields: boolean;
  closedRanges: boolean;
  /** Features of the Prometheus that will load the rules; others are refused, as promtool does. */
  features: readonly string[];
  clock: Clock;
}

export interface FileResult {
  file: string;
  passed: boolean;
  /** The reason why the file could not be run. */
  error?: string;
  warnings: string[];
  groups: GroupResult[];
}

export interface SuiteResult {
  files: FileResult[];
  coverage: RuleCoverage[];
}

export function runSuite(files: readonly string[], options: SuiteOptions): SuiteResult {
  const witness = new Witness();
  const rules = new Map<string, ReadGroup[]>();
  const results = files.map((file): FileResult => {
    try {
      return runFile(file, options, witness, rules);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { file, passed: false, error: messageOf(error), warnings: [], groups: [] };
    }
  });
  return { files: results, coverage: witness.coverage([...rules.values()].flat()) };
}

function runFile(
  file: string,
  options: SuiteOptions,
  witness: Witness,
  rules: Map<string, ReadGroup[]>,
): FileResult {
  const unit = readUnitFile(file, options.ignoreUnknownFields);
  const groups = unit.ruleFiles.flatMap((ruleFile) => {
    let read = rules.get(ruleFile);
    if (!read) {
      read = readRuleFile(ruleFile, { checkExpr: (text) => checkExpr(text, options.features) });
      rules.set(ruleFile, read);
    }
    return read;
  });
  const results: GroupResult[] = [];
  for (const test of unit.tests) {
    // With `--run`, promtool also runs a nameless group if the pattern matches the empty name.
    if (options.run && !options.run.test(test.named ? test.name : '')) continue;
    const began = options.clock.monotonicMs();
    const refused = test.exprs.flatMap((one) => refusalOf(one, options.features) ?? []);
    const exprs = test.exprs.filter((one) => !refused.some((r) => r.place === one.place));
    const judged = runGroup({ ...test, exprs }, groups, {
      evaluationIntervalMs: unit.evaluationIntervalMs,
      groupOrder: unit.groupOrder,
      fuzzy: unit.fuzzy,
      strict: options.strict,
      closedRanges: options.closedRanges,
      witness,
    });
    results.push({
      name: test.name,
      failures: [...refused, ...judged],
      cases: test.alerts.length + test.exprs.length,
      durationMs: options.clock.monotonicMs() - began,
    });
  }
  return {
    file,
    passed: results.every((r) => r.failures.length === 0),
    warnings: unit.unmatched.map((pattern) => `no file matches ${pattern}`),
    groups: results,
  };
}

/** The failure of a test whose query needs a feature that is not enabled; other mistakes show when it runs. */
function refusalOf({ expr, place }: ExprCase, features: readonly string[]): Failure | undefined {
  const mistake = checkExpr(expr) ? undefined : checkExpr(expr, features);
  return mistake && { kind: 'expr', place, title: `expr: ${expr}`, message: mistake.message };
}

/** The results of one file as text. */
export function fileText(result: FileResult): string {
  const lines = [`Unit Testing:  ${inputName(result.file)}`];
  for (const warning of result.warnings) lines.push(`  WARNING: ${warning}`);
  if (result.error !== undefined) {
    lines.push('  FAILED:', ...result.error.split('\n').map((line) => `    ${line}`));
  } else if (result.passed) {
    lines.push('  SUCCESS');
  } else {
    lines.push('  FAILED:');
    for (const group of result.groups) {
      for (const failure of group.failures) lines.push(failureText(group.name, failure, '    '));
    }
  }
  return `${lines.join('\n')}\n`;
}

export function failureText(group: string, failure: Failure, indent: string): string {
  const { place } = failure;
  const lines = [
    `${place.file}:${place.line}:${place.column}: ${group}: ${failure.title}`,
    `  ${failure.message}`,
    ...(failure.comparison?.diff ?? []).map((line) => `    ${line}`),
  ];
  return lines.map((line) => indent + line).join('\n');
}

export const junitOf = (files: readonly FileResult[]): JunitSuite[] =>
  files.map((file) => ({
    name: file.file,
    cases: [
      ...(file.error === undefined
        ? []
        : [{ name: 'the file can be read', seconds: 0, error: file.error }]),
      ...file.groups.map((group) => ({
        name: group.name,
        seconds: group.durationMs / 1000,
        failures: group.failures.map((failure) => failureText(group.name, failure, '')),
      })),
    ],
  }));

/** One line for each untested rule, and the share of tested rules. */
export function coverageText(coverage: readonly RuleCoverage[]): string {
  if (coverage.length === 0) return 'coverage: no rules\n';
  const lines = coverage.map(({ rule, name, how, covered }) => {
    const pending = rule.rule.kind === 'alert' && rule.rule.forMs > 0;
    const detail = pending
      ? ` for ${formatDurationMs((rule.rule as { forMs: number }).forMs)}`
      : '';
    const { file, line, column } = rule.place;
    return `${covered ? '  ' : '! '}${file}:${line}:${column}: ${name}${detail}: ${how}`;
  });
  const count = coverage.filter((c) => c.covered).length;
  const share = `coverage: ${count} of ${coverage.length} rules (${coveragePercent(coverage)}%)`;
  return `${[...lines, share].join('\n')}\n`;
}

export const coveragePercent = (coverage: readonly RuleCoverage[]): number =>
  coverage.length === 0
    ? 100
    : Math.floor((1000 * coverage.filter((c) => c.covered).length) / coverage.length) / 10;
