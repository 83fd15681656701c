/** Checks whether the alerts of a scenario are possible: a rule has the name, severity, labels and receiver. */
import type { At, Path } from '../../base/yaml.js';
import { alertNames } from '../../alerts/index.js';
import { labelsOf, mayHave } from '../../alerts/lint/labels.js';
import { type Expr, parse, walk } from '../../slo/promql/index.js';
import { suggest } from '../../base/suggest.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import { withheldProblems } from './check-withheld.js';
import { unknownName } from './meant.js';
import type { Expected, Scenario } from './schema.js';
import { type World, workloadsOf } from './world.js';

export function alertProblems(scenario: Scenario, world: World, at: At): void {
  const { mustFire, mustNotFire, mayFire } = scenario.expect;
  mustFire.forEach((wanted, i) => {
    const path = ['expect', 'mustFire', i];
    if (mustNotFire.some((not) => contradicts(wanted, not))) {
      at([...path, 'alert'], `${wanted.alert} must fire and must not: mustNotFire forbids it, too`);
    }
    if (unknownAlert(wanted.alert, [...path, 'alert'], world, at)) return;
    expectedProblems(wanted, path, scenario, world, at);
  });
  mustNotFire.forEach((not, i) => {
    unknownAlert(not.alert, ['expect', 'mustNotFire', i, 'alert'], world, at);
  });
  mayFire.forEach((may, i) => {
    const path = ['expect', 'mayFire', i];
    if (unknownAlert(may.alert, [...path, 'alert'], world, at)) return;
    if (mustNotFire.some((not) => contradicts(may, not))) {
      at([...path, 'alert'], `${may.alert} may fire and must not: mustNotFire forbids it, too`);
    }
    const named = world.rules.filter((r) => r.alert === may.alert);
    labelProblems(named, may, path, world, at);
  });
}

const namesOf = ({ rules }: World): string[] => [...new Set(rules.map((r) => r.alert))];

function unknownAlert(alert: string, path: Path, world: World, at: At): boolean {
  const names = namesOf(world);
  if (names.includes(alert)) return false;
  at(path, ...unknownName(`no rule ${alert} is loaded`, alert, names));
  return true;
}

function expectedProblems(
  wanted: Expected,
  path: Path,
  scenario: Scenario,
  world: World,
  at: At,
): void {
  const named = world.rules.filter((r) => r.alert === wanted.alert);
  const severe = named.filter((r) => mayBe(r.labels.severity ?? 'none', wanted.severity));
  if (severe.length === 0) {
    const have = [...new Set(named.map((r) => r.labels.severity ?? 'none'))].join(', ');
    at([...path, 'severity'], `no rule ${wanted.alert} has the severity ${wanted.severity}`, have);
    return;
  }
  labelProblems(severe, wanted, path, world, at);
  // An alert of the library has a runbook page in the package: a dead link is of no use at night.
  if (wanted.alert in alertNames && !world.pages.has(wanted.alert)) {
    at([...path, 'alert'], `${wanted.alert} has no runbook page: its link leads nowhere`);
  }
  const { receivers } = world;
  if (wanted.receiver !== undefined && receivers && !receivers.includes(wanted.receiver)) {
    at(
      [...path, 'receiver'],
      ...unknownName(`no receiver '${wanted.receiver}'`, wanted.receiver, receivers),
    );
  }
  if (wanted.receiver !== undefined && !receivers) {
    at([...path, 'receiver'], 'a receiver is expected, and no alertmanager.yml is given');
  }
  const { inhibitedBy } = wanted;
  const unknown =
    inhibitedBy !== undefined && unknownAlert(inhibitedBy, [...path, 'inhibitedBy'], world, at);
  if (!unknown) withheldProblems(wanted, path, world, at);
  if (wanted.theory === 'slo' && world.sloAlerts?.includes(wanted.alert) === false) {
    at([...path, 'theory'], `${wanted.alert} is the alert of no SLO`, 'theory: for, or a ratio');
  }
  orderProblems(wanted, path, scenario, world, at);
}

const mayBe = (written: string, wanted: string): boolean =>
  written === wanted || written.includes('{{');

function labelProblems(
  rules: readonly AlertingRule[],
  { alert, labels }: { alert: string; labels: Readonly<Record<string, string>> },
  path: Path,
  world: World,
  at: At,
): void {
  for (const [name, value] of Object.entries(labels)) {
    const found = labelProblem(rules, alert, name, value, world);
    if (found) at([...path, 'labels', name], ...found);
  }
}

/** Undefined if one of the rules can carry the label with that value. */
function labelProblem(
  rules: readonly AlertingRule[],
  alert: string,
  name: string,
  value: string,
  world: World,
): [string, string?] | undefined {
  if (name === 'alertname') {
    return value === alert ? undefined : [`${alert} never has alertname=${value}`, alert];
  }
  const written = rules.flatMap((r) => r.labels[name] ?? []);
  if (written.length === rules.length) {
    if (written.some((v) => mayBe(v, value))) return undefined;
    return [`${alert} never has ${name}=${value}`, [...new Set(written)].join(', ')];
  }
  const carried = rules.some((r) => mayHave(labelsOf(exprOf(r)), name));
  const near = suggest(name, knownLabels(world));
  const unheard = !knownLabels(world).includes(name) && near !== undefined;
  if (!carried || unheard) {
    return unknownName(`${alert} has no label '${name}'`, name, knownLabels(world));
  }
  if (name !== 'workload') return undefined;
  const workloads = workloadsOf(world.system);
  return workloads.includes(value)
    ? undefined
    : unknownName(`no workload '${value}'`, value, workloads);
}

const exprOf = (rule: AlertingRule): Expr => parse(rule.expr);

/** The labels of targets, and all labels that a rule names. */
function knownLabels({ rules }: World): string[] {
  const names = new Set(['job', 'instance', 'namespace', 'workload', 'service', 'pod']);
  for (const rule of rules) {
    for (const name of Object.keys(rule.labels)) names.add(name);
    walk(exprOf(rule), (node) => {
      if (node.kind === 'aggregate') for (const name of node.grouping) names.add(name);
      if (node.kind !== 'selector') return;
      for (const matcher of node.matchers) names.add(matcher.name);
    });
  }
  return [...names].filter((name) => name !== '__name__');
}

function orderProblems(
  { alert, notBefore }: Expected,
  path: Path,
  scenario: Scenario,
  { system, ...world }: World,
  at: At,
): void {
  if (!notBefore) return;
  if ('exit' in notBefore && !system.processes.includes(notBefore.exit)) {
    at(
      [...path, 'notBefore', 'exit'],
      ...unknownName(`no process '${notBefore.exit}'`, notBefore.exit, system.processes),
    );
  }
  if ('alert' in notBefore && notBefore.alert === alert) {
    at([...path, 'notBefore', 'alert'], `${alert} cannot come after itself`, 'another alert');
  } else if ('alert' in notBefore) {
    unknownAlert(notBefore.alert, [...path, 'notBefore', 'alert'], { system, ...world }, at);
  }
  const ids = [...scenario.faults, ...(scenario.arms?.trigger ?? [])].map((f) => f.id);
  if ('fault' in notBefore && !ids.includes(notBefore.fault)) {
    at(
      [...path, 'notBefore', 'fault'],
      ...unknownName(`no fault '${notBefore.fault}'`, notBefore.fault, ids),
    );
  }
}

/** Whether the forbidden alert `not` covers each firing that fulfils `wanted`. */
function contradicts(
  wanted: {
    alert: string;
    severity?: string;
    labels: Record<string, string>;
    arm?: string | undefined;
  },
  not: { alert: string; labels: Record<string, string>; arm?: string | undefined },
): boolean {
  const { severity } = wanted;
  const labels: Record<string, string> = { ...(severity && { severity }), ...wanted.labels };
  return (
    not.alert === wanted.alert &&
    Object.entries(not.labels).every(([name, value]) => labels[name] === value) &&
    (not.arm === undefined || not.arm === wanted.arm)
  );
}
