/** Reads OpenSLO v1: resolves objects that refer to one another, across documents and files, into SLOs. */
import { type Problem, UserError } from '../../base/errors.js';
import { checkYaml, type Path, type YamlDocument } from '../../base/yaml.js';
import { Checker } from './check.js';
import { ms } from './fields.js';
import {
  type Alerting,
  type BurnWindow,
  defaultAlertName,
  type Period,
  plainAlertSettings,
  type Sli,
  type Slo,
  standardAlerting,
} from './model.js';
import {
  type ConditionSpec,
  type Objective,
  type OpenSloKind,
  type OpenSloObject,
  openSloSchema,
  type PolicySpec,
  type SliSpec,
  type SloObject,
} from './openslo-schema.js';
import { parsePeriodText, periodsExpected } from './period.js';
import { unwrapSum, withoutRange } from './query.js';

interface Entry {
  object: OpenSloObject;
  checker: Checker;
}

/** The SLOs among the objects, and those that are not supported; every reference must be resolved in the same run. */
export function readOpenSlo(documents: readonly YamlDocument[]): {
  slos: Slo[];
  refused: Problem[];
} {
  const problems: Problem[] = [];
  const entries: Entry[] = [];
  for (const document of documents) {
    try {
      const object = checkYaml(document, openSloSchema);
      const checker = new Checker(document);
      refuseOtherSources(document.value, [], checker);
      entries.push({ object, checker });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(...error.problems);
    }
  }
  const catalogue = new Catalogue(entries);
  const slos = entries.flatMap(({ object, checker }) => {
    const own = object.kind === 'SLO' ? slosOf(object, checker, catalogue) : [];
    return checker.refused.length > 0 ? [] : own;
  });
  problems.push(...entries.flatMap((entry) => entry.checker.problems));
  if (problems.length > 0) throw new UserError(problems);
  return { slos, refused: entries.flatMap((entry) => entry.checker.refused) };
}

/** Refuses every metricSource and DataSource that is not Prometheus. */
function refuseOtherSources(value: unknown, path: Path, checker: Checker): void {
  if (Array.isArray(value)) {
    value.forEach((v, i) => refuseOtherSources(v, [...path, i], checker));
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const { kind, spec, metricSource } = value as Record<string, unknown>;
  const source = metricSource ?? (kind === 'DataSource' ? spec : undefined);
  const type = (source as { type?: unknown } | null | undefined)?.type;
  if (typeof type === 'string' && !/^prometheus$/i.test(type)) {
    const at = metricSource === undefined ? 'spec' : 'metricSource';
    checker.refuse([...path, at, 'type'], `a source of type ${type}`, 'Prometheus');
    return;
  }
  for (const [key, v] of Object.entries(value)) refuseOtherSources(v, [...path, key], checker);
}

class Catalogue {
  readonly #byName = new Map<string, Entry>();
  readonly hasServices: boolean;

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      const key = `${entry.object.kind}/${entry.object.metadata.name}`;
      if (this.#byName.has(key)) entry.checker.add(['metadata', 'name'], `${key} is defined twice`);
      this.#byName.set(key, entry);
    }
    this.hasServices = entries.some((e) => e.object.kind === 'Service');
  }

  find<K extends OpenSloKind>(kind: K, name: string, path: Path, checker: Checker) {
    const entry = this.#byName.get(`${kind}/${name}`);
    if (!entry) {
      const known = [...this.#byName.keys()].filter((k) => k.startsWith(`${kind}/`));
      const names = known.map((k) => k.slice(kind.length + 1)).join(', ');
      checker.add(
        path,
        `no ${kind} is called '${name}'`,
        names === '' ? `an object of the kind ${kind}` : names,
      );
      return undefined;
    }
    return entry as { object: Extract<OpenSloObject, { kind: K }>; checker: Checker };
  }
}

function slosOf(object: SloObject, checker: Checker, catalogue: Catalogue): Slo[] {
  const { spec, metadata } = object;
  if (catalogue.hasServices) {
    catalogue.find('Service', spec.service, ['spec', 'service'], checker);
  }
  const indicator = indicatorOf(object, checker, catalogue);
  if (!indicator) return [];
  const period = periodOf(spec.timeWindow[0], ['spec', 'timeWindow', 0], checker);
  return spec.objectives.map((objective, i): Slo => {
    const path = ['spec', 'objectives', i];
    const many = spec.objectives.length > 1;
    // Names must be unique among all OpenSLO objects, so they often begin with the service's name.
    const own = metadata.name.replace(`${spec.service}-`, '');
    const name = many ? `${own}-${objective.displayName ?? i + 1}` : own;
    const clean = name.replaceAll(/[^A-Za-z0-9._-]/g, '-');
    return {
      id: `${spec.service}-${clean}`,
      service: spec.service,
      name: clean,
      ...(spec.description === undefined ? {} : { description: spec.description }),
      objective: targetOf(objective, path, checker),
      period,
      sli: sliOf(indicator, object, objective, path, checker),
      groupBy: [],
      maxGroups: 50,
      labels: labelsOf(metadata.labels),
      alerting: alertingOf(object, clean, checker, catalogue),
      get place() {
        return checker.document.placeOf(path);
      },
    };
  });
}

interface Indicator {
  spec: SliSpec;
  checker: Checker;
  path: Path;
}

function indicatorOf(o: SloObject, checker: Checker, catalogue: Catalogue): Indicator | undefined {
  const { indicator, indicatorRef } = o.spec;
  if ((indicator === undefined) === (indicatorRef === undefined)) {
    checker.add(['spec'], 'what the SLO measures', 'either indicator or indicatorRef');
    return undefined;
  }
  if (indicator) return { spec: indicator.spec, checker, path: ['spec', 'indicator', 'spec'] };
  const path = ['spec', 'indicatorRef'];
  const found = catalogue.find('SLI', indicatorRef ?? '', path, checker);
  if (found && found.checker.refused.length > 0) {
    checker.refuse(path, `the SLI '${indicatorRef}' cannot be measured here`, 'one of Prometheus');
    return undefined;
  }
  return found && { spec: found.object.spec, checker: found.checker, path: ['spec'] };
}

function targetOf(objective: Objective, path: Path, checker: Checker): number {
  const { target, targetPercent } = objective;
  if ((target === undefined) === (targetPercent === undefined)) {
    checker.add(path, 'the target of the objective', 'either target or targetPercent');
  }
  return targetPercent ?? Number(((target ?? 0.99) * 100).toPrecision(12));
}

function sliOf(
  indicator: Indicator,
  object: SloObject,
  objective: Objective,
  path: Path,
  checker: Checker,
): Sli {
  const sli = occurrences(indicator, objective, path, checker);
  const { budgetingMethod } = object.spec;
  if (budgetingMethod === 'Occurrences' || sli.kind === 'threshold') return sli;
  const { timeSliceTarget, timeSliceWindow } = objective;
  const lengthMs = timeSliceWindow === undefined ? 60_000 : ms(timeSliceWindow);
  checker.slice([...path, 'timeSliceWindow'], lengthMs);
  const whole = budgetingMethod === 'Timeslices';
  if (whole && timeSliceTarget === undefined) {
    checker.add(path, 'Timeslices need a timeSliceTarget', 'a share such as 0.95');
  }
  if (sli.kind !== 'events' && sli.kind !== 'ratio') return sli;
  const target = Number(((timeSliceTarget ?? 0.99) * 100).toPrecision(12));
  return { kind: 'slices', of: sli, lengthMs, target, weigh: whole ? 'whole' : 'ratio' };
}

/** The comparison for bad events; OpenSLO gives that for good ones. */
const badComparison = { lte: '>', lt: '>=', gte: '<', gt: '<=' } as const;

function occurrences(indicator: Indicator, o: Objective, path: Path, checker: Checker): Sli {
  const { ratioMetric, thresholdMetric } = indicator.spec;
  const read = (key: string, source: { metricSource: { spec: { query: string } } }): string => {
    // A range is how the query is drawn: the objective's own window is what counts.
    const written = source.metricSource.spec.query;
    const isEvents = key !== 'thresholdMetric' && key !== 'ratioMetric.raw';
    const text = unwrapSum(isEvents ? withoutRange(written) : written);
    const at = [...indicator.path, ...key.split('.'), 'metricSource', 'spec', 'query'];
    if (key === 'thresholdMetric') indicator.checker.query(at, text);
    else indicator.checker.windowed(at, text);
    return text;
  };
  if (thresholdMetric) {
    if (o.op === undefined || o.value === undefined) {
      checker.add(path, 'a thresholdMetric is compared', 'op and value in the objective');
    }
    const bad = `${badComparison[o.op ?? 'lte']} ${o.value ?? 0}`;
    return { kind: 'threshold', value: read('thresholdMetric', thresholdMetric), bad };
  }
  const { good, bad, total, raw, rawType } = ratioMetric ?? {};
  if (raw) {
    const query = read('ratioMetric.raw', raw);
    return { kind: 'ratio', error: rawType === 'success' ? `1 - (${query})` : query };
  }
  const sum = total ? read('ratioMetric.total', total) : '';
  if (bad) return { kind: 'events', total: sum, bad: read('ratioMetric.bad', bad) };
  return { kind: 'events', total: sum, good: good ? read('ratioMetric.good', good) : sum };
}

/** Time zones whose days are those of UTC, which the rules use. */
const utcZones = /^(UTC|Etc\/(UTC|GMT|UCT|Universal|Zulu)|GMT|Z|Zulu)$/i;

function periodOf(
  window: SloObject['spec']['timeWindow'][number] | undefined,
  path: Path,
  checker: Checker,
): Period {
  const text = window?.duration ?? '';
  const { calendar, isRolling } = window ?? {};
  const at = [...path, 'duration'];
  const named = /^(\d+)([MQY])$/.exec(text);
  const days = named
    ? Number(named[1]) * ({ M: 30, Q: 90, Y: 365 }[named[2] ?? ''] ?? 0)
    : undefined;
  const rolling = parsePeriodText(days === undefined ? text : `${days}d`);
  if (!rolling || text === 'month') {
    const expected = /^\d+m$/.test(text) ? `1M for a month (m is minutes)` : periodsExpected;
    checker.add(at, `a window of '${text}'`, expected);
    return { days: 30 };
  }
  if (isRolling !== false && calendar === undefined) return rolling;
  if (text !== '1M') {
    const expected = '1M, the one calendar that budgets are kept by, or isRolling: true';
    checker.refuse(at, `a calendar window of '${text}'`, expected);
  } else if (calendar && !utcZones.test(calendar.timeZone)) {
    const expected = 'UTC, by which Prometheus counts days, or isRolling: true';
    const zone = [...path, 'calendar', 'timeZone'];
    checker.refuse(zone, `a calendar month of ${calendar.timeZone}`, expected);
  } else if (calendar && !/^\d+-\d+-0?1\b/.test(calendar.startTime)) {
    const expected = 'one that begins on the first, or isRolling: true';
    checker.refuse([...path, 'calendar', 'startTime'], 'a month of other days', expected);
  }
  return { days: 30, calendar: 'month' };
}

function labelsOf(labels: SloObject['metadata']['labels']): Record<string, string> {
  const entries = Object.entries(labels ?? {}).map(([key, value]) => [
    key.replaceAll(/[^a-zA-Z0-9_]/g, '_'),
    Array.isArray(value) ? value.join(',') : value,
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function alertingOf(o: SloObject, name: string, checker: Checker, catalogue: Catalogue): Alerting {
  const standard = standardAlerting(defaultAlertName(o.spec.service, name));
  const policies = (o.spec.alertPolicies ?? []).flatMap((policy, i): [PolicySpec, Checker][] => {
    const path = ['spec', 'alertPolicies', i];
    if (typeof policy === 'object' && 'spec' in policy) return [[policy.spec, checker]];
    const ref = typeof policy === 'string' ? policy : policy.alertPolicyRef;
    const found = catalogue.find('AlertPolicy', ref, path, checker);
    return found ? [[found.object.spec, found.checker]] : [];
  });
  if (policies.length === 0) return standard;
  const conditions = policies.flatMap(([policy, at]) => conditionsOf(policy, at, catalogue));
  const windows = conditions.map(({ severity, condition }): BurnWindow => {
    const longMs = ms(condition.lookbackWindow);
    return { severity, longMs, shortMs: longMs / 12, factor: condition.threshold };
  });
  const settings = (severity: 'page' | 'ticket') => {
    const own = conditions.filter((c) => c.severity === severity);
    if (own.length === 0) return false;
    const forMs = Math.max(...own.map((c) => ms(c.condition.alertAfter ?? '0')));
    return { ...plainAlertSettings, forMs };
  };
  const targets = policies.flatMap(([policy, at]) =>
    (policy.notificationTargets ?? []).map((target) => {
      if ('metadata' in target) return target.metadata.name;
      const path = ['spec', 'notificationTargets'];
      catalogue.find('AlertNotificationTarget', target.targetRef, path, at);
      return target.targetRef;
    }),
  );
  const noData = policies.some(([policy]) => policy.alertWhenNoData === true);
  return {
    ...standard,
    windows,
    page: settings('page'),
    ticket: settings('ticket'),
    // A label that Alertmanager's routes can match, because rules do not decide where notifications go.
    labels: targets.length > 0 ? { notify: targets.join(',') } : {},
    noData: noData ? standard.noData : false,
  };
}

function conditionsOf(policy: PolicySpec, checker: Checker, catalogue: Catalogue): ConditionSpec[] {
  return policy.conditions.flatMap((condition, i) => {
    const path = ['spec', 'conditions', i];
    const { spec, conditionRef = '' } = condition;
    const found =
      spec ?? catalogue.find('AlertCondition', conditionRef, path, checker)?.object.spec;
    if (!found) return [];
    const longMs = ms(found.condition.lookbackWindow);
    checker.window(path, longMs, longMs / 12);
    return [found];
  });
}
