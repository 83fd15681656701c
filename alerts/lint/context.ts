/** The input of a check, and the functions by which it reports findings. */
import { escapePattern } from '../../base/escape-pattern.js';
import type { Place } from '../../base/errors.js';
import { type Expr, walk } from '../../slo/promql/index.js';
import { withoutParens } from '../../slo/promql/syntax/ast.js';
import type { MetricCatalogue } from './catalogue.js';
import { type Edit, type Finding, type LintRuleId, lintRules } from './model.js';
import { type LintRule, placeInExpr, spanInFile } from './source.js';

export interface LintOptions {
  catalogue: MetricCatalogue;
  scrapeIntervalMs: number;
  /** The recording rules of all files by the name that they record. */
  recorded: ReadonlyMap<string, LintRule>;
  severities: readonly string[];
  /** An alert with any of these labels has an owner. */
  ownerLabels: readonly string[];
  /** Base of runbook links; if given, a missing runbook_url can be added. */
  runbookBase: string | undefined;
  /** Names of the existing runbook pages; absent: not known. */
  runbooks: ReadonlySet<string> | undefined;
  /** Measured events an hour by the SLO's id; absent: no Prometheus was asked. */
  eventsPerHour: ReadonlyMap<string, number> | undefined;
  /** Values of `--enable-feature` of the Prometheus that will load the rules. */
  enabledFeatures: readonly string[];
}

export interface Said {
  message: string;
  fix: string;
  edit?: Edit | undefined;
}

/** Checks one rule of a file. */
export type Check = (rule: LintRule, options: LintOptions, say: Say) => void;
export type Say = (id: LintRuleId, place: Place, said: Said) => void;

export const sayTo =
  (findings: Finding[], subject: string): Say =>
  (id, place, { message, fix, edit }) =>
    findings.push({
      rule: id,
      level: lintRules[id][0],
      place,
      subject,
      message,
      fix,
      ...(edit === undefined ? {} : { edit }),
    });

/** Calls back for every node of an expression that parses, with the nodes above it, the nearest last. */
export function eachNode(
  rule: LintRule,
  visit: (node: Expr, parents: readonly Expr[]) => void,
): void {
  if (rule.expr) walk(rule.expr, visit);
}

export const textOf = (rule: LintRule, node: Expr): string => rule.text.slice(node.from, node.to);

export const placeOfNode = (rule: LintRule, node: { from: number }): Place =>
  placeInExpr(rule, node.from);

/** An edit that replaces part of the expression; undefined where YAML writes the expression differently. */
export function editOf(
  rule: LintRule,
  span: { from: number; to: number },
  text: string,
): Edit | undefined {
  const place = spanInFile(rule, span.from, span.to);
  return place === undefined ? undefined : { ...place, text };
}

/** The offset of a name within a selector or an aggregation, for a more exact place. */
export function spanOfName(
  rule: LintRule,
  node: { from: number; to: number },
  name: string,
): { from: number; to: number } {
  const text = rule.text.slice(node.from, node.to);
  const escaped = escapePattern(name);
  const at = text.search(new RegExp(`(?<![\\w:])${escaped}(?![\\w:])`));
  return at < 0 ? node : { from: node.from + at, to: node.from + at + name.length };
}

/** Every selector in `expr`, including `expr` itself. */
export function selectorsIn(expr: Expr): Extract<Expr, { kind: 'selector' }>[] {
  const found: Extract<Expr, { kind: 'selector' }>[] = [];
  walk(expr, (node) => {
    if (node.kind === 'selector') found.push(node);
  });
  return found;
}

/** The metric that a selector names exactly. */
export const metricOf = (node: Extract<Expr, { kind: 'selector' }>): string | undefined =>
  node.name ?? node.matchers.find((m) => m.name === '__name__' && m.op === '=')?.value;

export const numberIn = (expr: Expr | undefined): number | undefined => {
  const inner = expr && withoutParens(expr);
  if (inner?.kind === 'number') return inner.value;
  if (inner?.kind === 'unary' && inner.op === '-') {
    const value = numberIn(inner.expr);
    return value === undefined ? undefined : -value;
  }
  return undefined;
};
