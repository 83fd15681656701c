/** What rule files have that a page may speak of: alerts, where each one's runbook_url leads, and series. */
import type { Place } from '../../base/errors.js';
import { readYaml, type YamlDocument } from '../../base/yaml.js';
import { metricsOf } from '../../slo/spec/query.js';

export interface RuleAlert {
  name: string;
  /** Of its runbook_url, where it has one. */
  runbook?: string;
  place: Place;
}

export interface RuleWords {
  alerts: RuleAlert[];
  /** Recorded, or read by an expression. */
  series: Set<string>;
}

interface RuleLike {
  alert?: unknown;
  record?: unknown;
  expr?: unknown;
  annotations?: { runbook_url?: unknown };
}

export function wordsOfRules(files: readonly string[]): RuleWords {
  const words: RuleWords = { alerts: [], series: new Set() };
  for (const document of files.flatMap((file) => readYaml(file))) addDocument(document, words);
  return words;
}

function addDocument(document: YamlDocument, words: RuleWords): void {
  const value = document.value as { groups?: unknown; spec?: { groups?: unknown } } | null;
  const inSpec = !Array.isArray(value?.groups);
  const groups = inSpec ? value?.spec?.groups : value.groups;
  if (!Array.isArray(groups)) return;
  groups.forEach((group: { rules?: unknown } | null, g) => {
    if (!Array.isArray(group?.rules)) return;
    (group.rules as (RuleLike | null)[]).forEach((rule, r) => {
      if (typeof rule?.record === 'string') words.series.add(rule.record);
      if (typeof rule?.expr === 'string') metricsIn(rule.expr, words.series);
      if (typeof rule?.alert !== 'string') return;
      const path = [...(inSpec ? ['spec'] : []), 'groups', g, 'rules', r];
      const url = rule.annotations?.runbook_url;
      const at = [
        ...path,
        ...(typeof url === 'string' ? ['annotations', 'runbook_url'] : ['alert']),
      ];
      words.alerts.push({
        name: rule.alert,
        place: document.placeOf(at),
        ...(typeof url === 'string' && { runbook: url }),
      });
    });
  });
}

/** Those that cannot be parsed are for `alerts lint`. */
function metricsIn(expr: string, into: Set<string>): void {
  try {
    for (const metric of metricsOf(expr)) into.add(metric);
  } catch {
    // As above.
  }
}

/** Where an address leads: its last part, without what Prometheus or a browser adds. */
export const endOf = (url: string): { name: string; anchor: string | undefined } => {
  const [path = '', anchor] = url.split('#');
  const name = path.replace(/\?.*$/, '').replace(/\/+$/, '').split('/').pop() ?? '';
  return { name: name.replace(/\.(md|html)$/i, ''), anchor };
};
