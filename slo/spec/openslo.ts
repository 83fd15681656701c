/** Reads OpenSLO v1 and v2alpha: resolves objects that refer to one another, across documents and files, into SLOs. */
import { type Problem, UserError } from '../../base/errors.js';
import { checkYaml, type Path, type YamlDocument } from '../../base/yaml.js';
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';
import { Checker, isSlice } from './check.js';
import { ms } from './fields.js';
import {
  type Alerting,
  type BurnWindow,
  defaultAlertName,
  type Period,
  plainAlertSettings,
  shortOf,
  type Sli,
  type Slo,
  standardAlerting,
} from './model.js';
import {
  type ConditionSpec,
  type Objective,
  type OpenSloKind,
  type OpenSloObject,
  type PolicySpec,
  type SliSpec,
  type SloObject,
  type Version,
  versions,
} from './openslo-schema.js';
import { reservedLabels } from '../rules/names.js';
import { parsePeriodText, periodsExpected } from './period.js';
import { unwrapSum, withoutRange } from './query.js';
import { Refusals } from './openslo-refusals.js';

interface Entry {
  object: OpenSloObject;
  checker: Checker;
  version: Version;
}

export const isOpenSlo = (apiVersion: unknown): apiVersion is string =>
  /^openslo(\.com)?\//.test(String(apiVersion));

/** The SLOs among the objects, and those that are not supported; every reference must be resolved in the same run. */
export function readOpenSlo(
  documents: readonly YamlDocument[],
  defaultPeriod: Period,
): { slos: Slo[]; refused: Problem[] } {
  const problems: Problem[] = [];
  const entries: Entry[] = [];
  const refusals = new Refusals(documents);
  for (const document of documents) {
    try {
      const version = versionOf(document);
      if (refusals.refuses(document, version)) continue;
      const object = checkYaml(document, version.objects);
      entries.push({ object, checker: new Checker(document), version });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(...error.problems);
    }
  }
  const catalogue = new Catalogue(entries, refusals.names);
  const slos = entries.flatMap((entry) => {
    const own = entry.object.kind === 'SLO' ? slosOf(entry, catalogue, defaultPeriod) : [];
    return entry.checker.refused.length > 0 ? [] : own;
  });
  problems.push(...entries.flatMap((entry) => entry.checker.problems));
  if (problems.length > 0) throw new UserError(problems);
  return {
    slos,
    refused: [...refusals.problems, ...entries.flatMap((entry) => entry.checker.refused)],
  };
}

function versionOf(document: YamlDocument): Version {
  const { apiVersion } = document.value as { apiVersion: string };
  const version = versions[apiVersion];
  if (version) return version;
  throw new UserError({
    place: document.placeOf(['apiVersion']),
    message: `unknown version '${apiVersion}' of OpenSLO`,
    expected: [...Object.keys(versions), 'openslo/v1alpha'].join(', '),
  });
}

class Catalogue {
  readonly #byName = new Map<string, Entry>();
  readonly hasServices: boolean;
  /** `kind/name` of the objects that were refused. */
  readonly refused: ReadonlySet<string>;

  constructor(entries: readonly Entry[], refused: ReadonlySet<string>) {
    this.refused = refused;
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
    return entry as Entry & { object: Extract<OpenSloObject, { kind: K }> };
  }
}

function slosOf(entry: Entry, catalogue: Catalogue, defaultPeriod: Period): Slo[] {
  const { checker } = entry;
  const object = entry.object as SloObject;
  const { spec, metadata } = object;
  if (catalogue.hasServices) {
    const { spec: written } = checker.document.value as { spec: object };
    const field = 'serviceRef' in written ? 'serviceRef' : 'service';
    catalogue.find('Service', spec.service, ['spec', field], checker);
  }
  const indicator = indicatorOf(entry, object, catalogue);
  if (!indicator) return [];
  const window = spec.timeWindow?.[0];
  const period = window ? periodOf(window, ['spec', 'timeWindow', 0], checker) : defaultPeriod;
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
      labels: labelsOf(metadata.labels, checker),
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
  /** The way from a metric to its query. */
  query: Path;
}

function indicatorOf(entry: Entry, o: SloObject, catalogue: Catalogue): Indicator | undefined {
  const { checker, version } = entry;
  const { indicator, indicatorRef } = o.spec;
  const name = version.indicator;
  if ((indicator === undefined) === (indicatorRef === undefined)) {
    checker.add(['spec'], 'what the SLO measures', `either ${name} or ${name}Ref`);
    return undefined;
  }
  const { query } = version;
  if (indicator) return { spec: indicator.spec, checker, path: ['spec', name, 'spec'], query };
  const path = ['spec', `${name}Ref`];
  if (catalogue.refused.has(`SLI/${indicatorRef}`)) {
    checker.refuse(path, `the SLI '${indicatorRef}' cannot be measured here`, 'one of Prometheus');
    return undefined;
  }
  const found = catalogue.find('SLI', indicatorRef ?? '', path, checker);
  if (!found) return undefined;
  const { checker: own, version: of } = found;
  return { spec: found.object.spec, checker: own, path: ['spec'], query: of.query };
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
  if (!isSlice(lengthMs)) {
    const slices = `slices of ${formatDurationMs(lengthMs)}, which do not divide the windows of 5m`;
    checker.refuse([...path, 'timeSliceWindow'], slices, '30s, 1m, 2m30s or 5m');
  }
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
  const read = (key: string, { query: written }: { query: string }): string => {
    // A range is how the query is drawn: the objective's own window is what counts.
    const isEvents = key !== 'thresholdMetric' && key !== 'ratioMetric.raw';
    const text = unwrapSum(isEvents ? withoutRange(written) : written);
    const at = [...indicator.path, ...key.split('.'), ...indicator.query];
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
  window: NonNullable<SloObject['spec']['timeWindow']>[number],
  path: Path,
  checker: Checker,
): Period {
  const { duration: text, calendar, isRolling } = window;
  const at = [...path, 'duration'];
  const named = /^(\d+)([MQY])$/.exec(text);
  const days = named
    ? Number(named[1]) * ({ M: 30, Q: 90, Y: 365 }[named[2] ?? ''] ?? 0)
    : undefined;
  const rolling = parsePeriodText(days === undefined ? text : `${days}d`);
  if (!rolling || text === 'month') {
    const expected = /^\d+m$/.test(text) ? `1M for a month (m is minutes)` : periodsExpected;
    const isValid = named !== null || parseDurationMs(text) !== undefined;
    if (isValid) checker.refuse(at, `a window of '${text}'`, expected);
    else checker.add(at, `a window of '${text}'`, expected);
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

/** OpenSLO's labels as those of Prometheus, without the ones that the rules set themselves. */
function labelsOf(
  labels: SloObject['metadata']['labels'],
  checker: Checker,
): Record<string, string> {
  const written = new Map<string, string>();
  const own: Record<string, string> = {};
  for (const [key, value] of Object.entries(labels ?? {})) {
    const name = key.replaceAll(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_');
    if (reservedLabels.includes(name)) continue;
    written.set(name, key);
    own[name] = Array.isArray(value) ? value.join(',') : value;
  }
  checker.labels(own, (name) => ['metadata', 'labels', written.get(name) ?? name]);
  return own;
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
    return { severity, longMs, shortMs: shortOf(longMs), factor: condition.threshold };
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
    checker.window(path, longMs, shortOf(longMs));
    return [found];
  });
}
