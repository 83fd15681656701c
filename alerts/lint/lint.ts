/** Runs every check over every rule, applies the exceptions, and sorts the findings by their place. */
import { MetricCatalogue } from './catalogue.js';
import { carriedChecks, forChecks, latencyChecks, runbookPageChecks } from './checks/alerts.js';
import { chanceChecks } from './checks/chance.js';
import { featureChecks } from './checks/features.js';
import {
  chainedChecks,
  lateSampleChecks,
  partsChecks,
  readOnlyChecks,
  renamedChecks,
  stateChecks,
} from './checks/known.js';
import { labelChecks, metricChecks, unboundedChecks } from './checks/metrics.js';
import { rateChecks, rawCounterChecks } from './checks/rates.js';
import { templateChecks } from './checks/templates.js';
import { comparisonChecks, quantileChecks, regexChecks } from './checks/values.js';
import { type Check, editOf, type LintOptions, placeOfNode, sayTo } from './context.js';
import type { Finding } from './model.js';
import { type LintFile, type LintRule, placeOfField } from './source.js';
import { suppress } from './suppress.js';

export const checks: readonly Check[] = [
  featureChecks,
  metricChecks,
  labelChecks,
  unboundedChecks,
  rateChecks,
  rawCounterChecks,
  comparisonChecks,
  quantileChecks,
  regexChecks,
  renamedChecks,
  lateSampleChecks,
  chainedChecks,
  partsChecks,
  stateChecks,
  readOnlyChecks,
  latencyChecks,
  forChecks,
  carriedChecks,
  runbookPageChecks,
  chanceChecks,
  templateChecks,
];

export type LintSettings = Partial<Omit<LintOptions, 'recorded'>>;

const defaultScrapeIntervalMs = 15_000;
/** Our severities, and those that kube-prometheus and most public rules use. */
const defaultSeverities: readonly string[] = [
  'page',
  'ticket',
  'critical',
  'warning',
  'info',
  'none',
];
const defaultOwnerLabels: readonly string[] = ['owner', 'team'];

/** All findings of all files; a rule may read a metric that another file records. */
export function lint(files: readonly LintFile[], settings: LintSettings = {}): Finding[] {
  const recorded = new Map<string, LintRule>();
  for (const rule of files.flatMap((f) => f.rules)) {
    if (rule.kind === 'record' && !recorded.has(rule.name)) recorded.set(rule.name, rule);
  }
  const options: LintOptions = {
    catalogue: settings.catalogue ?? new MetricCatalogue(),
    scrapeIntervalMs: settings.scrapeIntervalMs ?? defaultScrapeIntervalMs,
    severities: settings.severities ?? defaultSeverities,
    ownerLabels: settings.ownerLabels ?? defaultOwnerLabels,
    runbookBase: settings.runbookBase,
    runbooks: settings.runbooks,
    eventsPerHour: settings.eventsPerHour,
    enabledFeatures: settings.enabledFeatures ?? [],
    recorded,
  };
  const seen = new Map<string, LintRule>();
  return files.flatMap((file) => {
    const findings: Finding[] = file.problems.map((problem) => ({
      rule: 'rule/invalid',
      level: 'error',
      place: problem.place ?? { file: file.file, line: 1, column: 1 },
      subject: '',
      message: problem.message,
      fix: problem.expected ? `expected ${problem.expected}` : 'see the format of rule files',
    }));
    for (const { place, field, program } of file.dialect) {
      sayTo(findings, '')('rule/dialect', place, {
        message: `${field} is a field of ${program}: a Prometheus refuses the file`,
        fix: `--off rule/dialect, where ${program} alone reads it`,
      });
    }
    for (const rule of file.rules) {
      const say = sayTo(findings, rule.name);
      sayWhereItDoesNotParse(rule, findings);
      duplicates(rule, seen, findings);
      for (const check of checks) check(rule, options, say);
    }
    const order = (a: Finding, b: Finding): number =>
      a.place.line - b.place.line || a.place.column - b.place.column;
    return suppress(file, findings).sort(order);
  });
}

function sayWhereItDoesNotParse(rule: LintRule, findings: Finding[]): void {
  const error = rule.syntaxError;
  if (!error) return;
  const meant = error.suggestion;
  const isLogql = /\}\s*(\|[=~>]?|![=~])\s*["`\w]/.test(rule.text);
  const fix = isLogql ? 'LogQL is the language of Loki: rules of PromQL are read' : undefined;
  sayTo(findings, rule.name)('promql/syntax', placeOfNode(rule, error), {
    message: error.message,
    fix: fix ?? (meant ? `did you mean ${meant}?` : 'see firedrill promql check'),
    edit: meant ? editOf(rule, error, meant) : undefined,
  });
}

/**
 * Reports a second rule with the same name, labels and expression: it doubles the pages, or makes duplicate samples,
 * which Prometheus refuses.
 */
function duplicates(rule: LintRule, seen: Map<string, LintRule>, findings: Finding[]): void {
  const key = JSON.stringify([rule.kind, rule.name, rule.labels, rule.text.replaceAll(/\s+/g, '')]);
  const first = seen.get(key);
  if (!first) {
    seen.set(key, rule);
    return;
  }
  sayTo(findings, rule.name)('rule/duplicate', placeOfField(rule, rule.kind), {
    message: `${rule.name} is already in ${first.file.file}:${first.firstLine}`,
    fix: 'remove one of them',
  });
}
