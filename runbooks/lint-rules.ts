/** Checks whether the alerts of rule files have a page, and whether their `runbook_url` leads to that page. */
import { type Problem, UserError } from '../base/errors.js';
import { inputName } from '../base/input.js';
import { readYaml, type YamlDocument } from '../base/yaml.js';
import { listFiles } from '../slo/index.js';
import { type Page, pageFor } from './pages.js';

interface RuleLike {
  alert?: unknown;
  labels?: Record<string, unknown>;
  annotations?: Record<string, unknown>;
}

/**
 * Takes rule files and PrometheusRule objects; other rules than alerts are skipped. `own` are alerts of SLOs that have
 * their own page in addition to the shared one.
 */
export function lintRules(
  files: readonly string[],
  pages: ReadonlyMap<string, Page>,
  own: ReadonlySet<string> = new Set(),
): Problem[] {
  const alerts = listFiles(files)
    .flatMap((file) => readYaml(file))
    .flatMap(alertsOf);
  // No alert in any file usually means a broken template or a wrong file, so it must not pass as clean.
  if (files.length > 0 && alerts.length === 0) {
    throw new UserError({
      message: `no alerts in ${files.map(inputName).join(', ')}`,
      expected: 'rule files',
    });
  }
  return alerts.flatMap(({ document, path, rule, alert }) =>
    ruleProblems(document, path, rule, alert, pages, own),
  );
}

interface Alert {
  document: YamlDocument;
  path: (string | number)[];
  rule: RuleLike;
  alert: string;
}

function alertsOf(document: YamlDocument): Alert[] {
  const value = document.value as { groups?: unknown; spec?: { groups?: unknown } } | null;
  const [base, groups] = Array.isArray(value?.groups)
    ? [['groups'], value.groups as unknown[]]
    : [['spec', 'groups'], Array.isArray(value?.spec?.groups) ? value.spec.groups : []];
  return groups.flatMap((group, g) => {
    const rules = (group as { rules?: unknown } | null)?.rules;
    if (!Array.isArray(rules)) return [];
    return (rules as RuleLike[]).flatMap((rule, r) => {
      if (typeof rule?.alert !== 'string') return [];
      return [{ document, path: [...base, g, 'rules', r], rule, alert: rule.alert }];
    });
  });
}

function ruleProblems(
  document: YamlDocument,
  path: (string | number)[],
  rule: RuleLike,
  alert: string,
  pages: ReadonlyMap<string, Page>,
  own: ReadonlySet<string>,
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
  // The URL may contain Prometheus templates; only its end counts.
  const end = url
    .replace(/[#?].*$/, '')
    .replace(/\/+$/, '')
    .split('/')
    .pop();
  if (end === page.name || (end === alert && own.has(alert))) return [];
  return [
    {
      place: document.placeOf([...path, 'annotations', 'runbook_url']),
      message: `the runbook_url of ${alert} leads to '${end}'`,
      expected: expectedEnd(alert, page, own),
    },
  ];
}

function expectedEnd(alert: string, page: Page, own: ReadonlySet<string>): string {
  const base = `an address that ends with ${page.name}`;
  if (alert === page.name) return base;
  if (own.has(alert)) return `${base} or ${alert}`;
  return `${base} (--runbook-base); pages for each SLO are written by runbook publish -i, and known here by -i`;
}
