/** The parts of rule files that a page may mention: alerts, the target of each runbook_url, and series. */
import type { Place } from '../../base/errors.js';
import { readYaml, type YamlDocument } from '../../base/yaml.js';
import { metricsOf } from '../../slo/spec/query.js';

export interface RuleAlert {
  name: string;
  /** The target of the alert's runbook_url, if there is one. */
  runbook?: string;
  place: Place;
}

export interface RuleWords {
  alerts: RuleAlert[];
  /** Series that rules record or read. */
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

/** Expressions that cannot be parsed are left to `alerts lint`. */
function metricsIn(expr: string, into: Set<string>): void {
  try {
    for (const metric of metricsOf(expr)) into.add(metric);
  } catch {
    // Left to `alerts lint`, as above.
  }
}

/** The target of an address: its last part, without the additions of Prometheus or a browser. */
export const endOf = (url: string): { name: string; anchor: string | undefined } => {
  const [path = '', anchor] = url.split('#');
  const name = path.replace(/\?.*$/, '').replace(/\/+$/, '').split('/').pop() ?? '';
  return { name: name.replace(/\.(md|html)$/i, ''), anchor };
};
