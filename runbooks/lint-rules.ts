/** Whether the alerts of rule files have a page, and whether their `runbook_url` leads to it. */
import type { Problem } from '../base/errors.js';
import { readYaml, type YamlDocument } from '../base/yaml.js';
import { type Page, pageFor } from './pages.js';

interface RuleLike {
  alert?: unknown;
  labels?: Record<string, unknown>;
  annotations?: Record<string, unknown>;
}

/** Rule files, PrometheusRule objects; whatever is no alert is passed over. */
export function lintRules(files: readonly string[], pages: ReadonlyMap<string, Page>): Problem[] {
  return files.flatMap((file) => readYaml(file)).flatMap((document) => ofDocument(document, pages));
}

function ofDocument(document: YamlDocument, pages: ReadonlyMap<string, Page>): Problem[] {
  const value = document.value as { groups?: unknown; spec?: { groups?: unknown } } | null;
  const [base, groups] = Array.isArray(value?.groups)
    ? [['groups'], value.groups as unknown[]]
    : [['spec', 'groups'], Array.isArray(value?.spec?.groups) ? value.spec.groups : []];
  return groups.flatMap((group, g) => {
    const rules = (group as { rules?: unknown } | null)?.rules;
    if (!Array.isArray(rules)) return [];
    return (rules as RuleLike[]).flatMap((rule, r) => {
      if (typeof rule?.alert !== 'string') return [];
      return ruleProblems(document, [...base, g, 'rules', r], rule, rule.alert, pages);
    });
  });
}

function ruleProblems(
  document: YamlDocument,
  path: (string | number)[],
  rule: RuleLike,
  alert: string,
  pages: ReadonlyMap<string, Page>,
): Problem[] {
  const page = pageFor(pages, alert, typeof rule.labels?.slo === 'string');
  const place = document.placeOf([...path, 'alert']);
  if (!page) {
    return [
      { place, message: `the alert ${alert} has no page`, expected: `templates/${alert}.md` },
    ];
  }
  const url = rule.annotations?.runbook_url;
  if (typeof url !== 'string') {
    return [
      { place, message: `the alert ${alert} has no runbook_url`, expected: `.../${page.name}` },
    ];
  }
  // Templates of Prometheus may stand in it; what counts is where it ends.
  const end = url
    .replace(/[#?].*$/, '')
    .replace(/\/+$/, '')
    .split('/')
    .pop();
  if (end === alert || end === page.name) return [];
  return [
    {
      place: document.placeOf([...path, 'annotations', 'runbook_url']),
      message: `the runbook_url of ${alert} leads to '${end}'`,
      expected: `an address that ends with ${alert === page.name ? alert : `${alert} or ${page.name}`}`,
    },
  ];
}
