/** Reads our own format. */
import { UserError } from '../../base/errors.js';
import { checkYaml, type Path, type YamlDocument } from '../../base/yaml.js';
import { splitHistogram } from '../rules/increments.js';
import { Checker } from './check.js';
import { ms } from './fields.js';
import { meshBounds } from './mesh-metrics.js';
import { meshMistakes, meshSli } from './mesh-slis.js';
import { parsePeriodText } from './period.js';
import {
  type Alerting,
  type AlertSettings,
  defaultAlertName,
  plainAlertSettings,
  shortOf,
  unitOf,
  type Sli,
  type Slo,
} from './model.js';
import {
  type OwnAlerting,
  type OwnFile,
  ownSchema,
  type OwnSli,
  type OwnSlo,
} from './own-schema.js';

type EventKinds = Extract<Sli, { kind: 'events' | 'latency' | 'ratio' }>;

/** Maps whose numbers and booleans are read as the written text. */
const texts = new Set(['labels', 'annotations']);

/** The SLOs of one document; throws a UserError with all its mistakes. */
export function readOwn(document: YamlDocument): Slo[] {
  const file = checkYaml(document.withTextsBelow(texts), ownSchema);
  const checker = new Checker(document);
  const slos = file.slos.map((slo, i) => sloOf(file, slo, ['slos', i], checker));
  if (checker.problems.length > 0) throw new UserError(checker.problems);
  return slos;
}

function sloOf(file: OwnFile, slo: OwnSlo, path: Path, checker: Checker): Slo {
  const owner = slo.owner ?? file.owner;
  const region = file.region === undefined ? {} : { region: file.region };
  return {
    id: `${file.service}-${slo.name}`,
    service: file.service,
    name: slo.name,
    ...(slo.description === undefined ? {} : { description: slo.description }),
    ...(owner === undefined ? {} : { owner }),
    objective: slo.objective,
    period: parsePeriodText(slo.window ?? file.window ?? '30d') ?? { days: 30 },
    sli: sliOf(slo.sli, [...path, 'sli'], checker),
    groupBy: slo.groupBy?.labels ?? [],
    maxGroups: slo.groupBy?.max ?? 50,
    labels: { ...region, ...file.labels, ...slo.labels },
    alerting: alertingOf(file, slo, path, checker),
    get place() {
      return checker.document.placeOf(path);
    },
  };
}

function sliOf(sli: OwnSli, path: Path, checker: Checker): Sli {
  if (typeof sli === 'string') return meshSli({ sli });
  if (sli.mesh) {
    const at = [...path, 'mesh'];
    if (sli.mesh.match !== undefined) checker.matchers([...at, 'match'], sli.mesh.match);
    for (const [field, expected] of meshMistakes(sli.mesh)) {
      checker.add([...at, field], `${[...at, field].join('.')} of ${sli.mesh.sli}`, expected);
    }
    const ready = meshSli(sli.mesh);
    if (ready.kind === 'latency') {
      checker.bucket([...at, 'threshold'], ready.threshold, meshBounds.get(ready.histogram));
    }
    return ready;
  }
  if (sli.events || sli.latency || sli.ratio) return eventKind(sli, path, checker);
  if (sli.slices) {
    const { slices } = sli;
    const at = [...path, 'slices'];
    const given = [slices.events, slices.latency, slices.ratio].filter((v) => v !== undefined);
    if (given.length !== 1) {
      checker.add(at, `${at.join('.')}: what the slices judge`, 'one of events, latency, ratio');
    }
    checker.slice([...at, 'length'], ms(slices.length));
    return {
      kind: 'slices',
      of: eventKind(slices, at, checker),
      lengthMs: ms(slices.length),
      target: slices.target,
      weigh: slices.weigh ?? 'whole',
    };
  }
  if (sli.probe !== undefined) {
    checker.selector([...path, 'probe'], sli.probe);
    return { kind: 'probe', selector: sli.probe.trim() };
  }
  if (sli.threshold) {
    checker.query([...path, 'threshold', 'value'], sli.threshold.value);
    return { kind: 'threshold', ...sli.threshold };
  }
  return compositeOf(sli, path, checker);
}

function compositeOf(sli: Exclude<OwnSli, string>, path: Path, checker: Checker): Sli {
  const by = sli.chain ? 'chain' : sli.fallback ? 'fallback' : 'sum';
  const field = by === 'sum' ? 'composite' : by;
  const parts = (sli.composite ?? sli.chain ?? sli.fallback ?? []).map((part, i) => {
    const { slo, ...by } = typeof part === 'string' ? { slo: part } : part;
    return {
      slo,
      weight: ('percent' in by ? by.percent / 100 : 'weight' in by ? by.weight : undefined) ?? 1,
      get place() {
        return checker.document.placeOf([...path, field, i]);
      },
    };
  });
  if (by === 'chain' && parts[0]?.weight !== 1) {
    const expected = 'first a part that all of them need, because its events are counted';
    checker.add([...path, field, 0], `${path.join('.')}.chain: only some events need`, expected);
  }
  // Parts that are composites themselves are known once all files are read.
  return { kind: 'composite', by, parts, lagSteps: 1 };
}

type EventFields = Pick<Exclude<OwnSli, string>, 'events' | 'latency' | 'ratio'>;

function eventKind(sli: EventFields, path: Path, checker: Checker): EventKinds {
  if (sli.events) {
    const { total, bad, good } = sli.events;
    for (const [key, text] of Object.entries({ total, bad, good })) {
      if (text !== undefined) checker.windowed([...path, 'events', key], text);
    }
    return bad === undefined
      ? { kind: 'events', total, good: good ?? total }
      : { kind: 'events', total, bad };
  }
  if (sli.ratio) {
    checker.windowed([...path, 'ratio', 'error'], sli.ratio.error);
    const { weight } = sli.ratio;
    if (weight !== undefined) checker.windowed([...path, 'ratio', 'weight'], weight);
    return { kind: 'ratio', error: sli.ratio.error, ...(weight === undefined ? {} : { weight }) };
  }
  return latencyOf(sli.latency, [...path, 'latency'], checker);
}

function latencyOf(latency: EventFields['latency'], path: Path, checker: Checker): EventKinds {
  const text = latency?.histogram ?? '';
  const parsed = latency && checker.selector([...path, 'histogram'], text);
  const parts = parsed ? splitHistogram(text) : undefined;
  if (parsed && !parts) checker.add([...path, 'histogram'], 'not a histogram', 'a metric name');
  const metric = parts?.metric ?? '';
  if (/(^|,)\s*"?le"?\s*[=!]/.test(parts?.matchers ?? '')) {
    checker.add(
      [...path, 'histogram'],
      'a matcher of le',
      'none: the threshold chooses the bucket',
    );
  }
  const thresholdMs = ms(latency?.threshold ?? '0');
  if (latency && thresholdMs === 0) {
    checker.add([...path, 'threshold'], 'a threshold of 0', 'a duration such as 300ms');
  }
  const unit = latency?.unit ?? unitOf(metric);
  const threshold = unit === 'ms' ? thresholdMs : thresholdMs / 1000;
  const native = latency?.native ?? false;
  const bounds = latency?.buckets ?? meshBounds.get(metric);
  if (!native) checker.bucket([...path, 'threshold'], threshold, bounds);
  const matchers = parts?.matchers ?? '';
  return { kind: 'latency', histogram: metric, matchers, threshold, unit, native };
}

const defaultNoData = { afterMs: 600_000, severity: 'ticket' as const };

function alertingOf(file: OwnFile, slo: OwnSlo, path: Path, checker: Checker): Alerting {
  const outer = file.alerting ?? {};
  const own = slo.alerting ?? {};
  const runbook = slo.runbook ?? file.runbook;
  const dashboard = slo.dashboard ?? file.dashboard;
  const noData = own.noData ?? outer.noData ?? {};
  const burns = own.windows ?? outer.windows;
  const windows = burns?.map((w, i) => {
    const longMs = ms(w.long);
    const shortMs = w.short === undefined ? shortOf(longMs) : ms(w.short);
    const at = own.windows ? [...path, 'alerting', 'windows', i] : ['alerting', 'windows', i];
    checker.window(at, longMs, shortMs);
    return { severity: w.severity, factor: w.factor, longMs, shortMs };
  });
  return {
    name: own.name ?? defaultAlertName(file.service, slo.name),
    page: settingsOf(outer.page, own.page),
    ticket: settingsOf(outer.ticket, own.ticket),
    ...pageAboveOf(own.pageAbove ?? outer.pageAbove),
    ...(windows === undefined ? {} : { windows }),
    labels: { ...outer.labels, ...own.labels },
    annotations: {
      ...(runbook === undefined ? {} : { runbook_url: runbook }),
      ...(dashboard === undefined ? {} : { dashboard_url: dashboard }),
      ...outer.annotations,
      ...own.annotations,
    },
    minBadEvents: own.lowTraffic?.minBadEvents ?? outer.lowTraffic?.minBadEvents ?? 0,
    minEvents: own.lowTraffic?.minEvents ?? outer.lowTraffic?.minEvents ?? 0,
    ...falsePagesOf(own.falsePagesPerYear ?? outer.falsePagesPerYear),
    ...budgetSpentOf(own.budgetSpent ?? outer.budgetSpent),
    trafficWeighted: own.trafficWeighted ?? outer.trafficWeighted ?? false,
    noData:
      noData === false
        ? false
        : {
            afterMs: noData.after === undefined ? defaultNoData.afterMs : ms(noData.after),
            severity: noData.severity ?? defaultNoData.severity,
          },
  };
}

const pageAboveOf = (given: number | false | undefined): Pick<Alerting, 'pageAbove'> =>
  given === undefined ? {} : { pageAbove: given };

const falsePagesOf = (given: number | undefined): Pick<Alerting, 'falsePagesPerYear'> =>
  given === undefined ? {} : { falsePagesPerYear: given };

const budgetSpentOf = (given: OwnAlerting['budgetSpent']): Pick<Alerting, 'budgetSpent'> =>
  given === undefined
    ? {}
    : {
        budgetSpent: given.map(({ percent, severity }) => ({
          percent,
          severity: severity ?? 'ticket',
        })),
      };

type Severity = OwnAlerting['page'];

function settingsOf(outer: Severity, own: Severity): AlertSettings | false {
  if (own === false || (own === undefined && outer === false)) return false;
  const merged = { ...(outer === false ? {} : outer), ...own };
  return {
    ...plainAlertSettings,
    ...(merged.for === undefined ? {} : { forMs: ms(merged.for) }),
    ...(merged.keepFiringFor === undefined ? {} : { keepFiringForMs: ms(merged.keepFiringFor) }),
    labels: { ...(outer === false ? {} : outer?.labels), ...(own ? own.labels : {}) },
    annotations: {
      ...(outer === false ? {} : outer?.annotations),
      ...(own ? own.annotations : {}),
    },
  };
}
