/** The views for on call: firing alerts, budgets, one SLO in full, and its runbook with live answers. */
import * as z from 'zod';
import type { Fetch } from '../base/access.js';
import { messageOf, UserError } from '../base/errors.js';
import { readCoverage } from '../alerts/coverage/index.js';
import type { AlertmanagerApi, AmAlert, AmSilence } from '../alerts/routing/alertmanager-api.js';
import { silencesAt } from '../alerts/routing/alertmanager-api.js';
import { activeAlerts } from '../alerts/watch/prometheus-api.js';
import { answeredPage } from '../runbooks/answers.js';
import { markdownToHtml } from '../runbooks/markdown.js';
import { pageFor, readPages } from '../runbooks/pages.js';
import { renderPage } from '../runbooks/render.js';
import { factsFromPrometheus } from '../runbooks/slo-facts.js';
import type { PrometheusClient, SampleSeries } from '../slo/budget/prometheus.js';
import { sloNames } from '../slo/index.js';
import type { Reader } from './answers.js';

export interface OnCallSources {
  prometheus: PrometheusClient;
  /** Fetches from that Prometheus. */
  fetcher: Fetch;
  alertmanager?: AlertmanagerApi;
  stateFolder: string;
}

export interface FiringAlert {
  name: string;
  severity: string;
  labels: Record<string, string>;
  sinceMs: number;
  summary?: string;
  runbookUrl?: string;
  /** The reason why no person is notified; absent: a person is. */
  withheld?: string;
}

export interface AlertGroup {
  labels: Record<string, string>;
  receiver?: string;
  alerts: FiringAlert[];
}

export interface SloRow {
  slo: string;
  service: string;
  objective?: number;
  achieved?: number;
  /** Share of the period's budget; below 0 when it is overspent. */
  remaining?: number;
  burn?: number;
  periodDays?: number;
}

export interface Now {
  groups: AlertGroup[];
  /** False: no Alertmanager has answered, and alerts are listed by name. */
  grouped: boolean;
  /** Of sources that did not answer: their part is missing below. */
  troubles: string[];
  /** Alerts that fire in Prometheus and that Alertmanager does not have; undefined: not known. */
  lost?: string[];
  /** The number of SLOs, and of those without a burn rate; undefined: not known. */
  slos?: number;
  withoutBurn: number;
  burning: SloRow[];
  changed: { atMs: number; text: string }[];
}

export interface SloView extends SloRow {
  fromMs: number;
  toMs: number;
  remainingOverTime: SampleSeries[];
  burns: { window: string; points: [number, number][] }[];
  /** Burn rates at which its alerts fire, by severity. */
  factors: { factor: number; severity: string }[];
  /** Of its rules, such as 1/240, if they are scaled. */
  timeScale?: string;
  /** The severities of its alerts whose rules do not tell such a rate. */
  unread: string[];
  /** Events of each step, and its length; `events` is empty if none was counted. */
  events: { name: string; points: [number, number][] }[];
  stepMs: number;
}

const dayMs = 86_400_000;
const points = 240;
const maxBurning = 8;
const maxChanged = 30;
const sentWithinMs = 60_000;
/** Changes of one kind that lie closer together than this are one change. */
const togetherMs = 10_000;
const windowsMs = [300_000, 3_600_000, 21_600_000, 259_200_000];

export function onCallReaders(sources: OnCallSources): [string, Reader][] {
  return [
    ['now', () => now(sources)],
    ['slos', () => sloRows(sources.prometheus)],
    ['slo', (query) => sloView(sources.prometheus, query)],
    ['runbook', (query) => runbook(sources, query)],
  ];
}

/** A source that does not answer hides only its own part: it is often down in the very outage that is looked at. */
async function now(sources: OnCallSources): Promise<Now> {
  const { prometheus, fetcher, alertmanager, stateFolder } = sources;
  const atMs = Date.now();
  const troubles = new Set<string>();
  const orTrouble = async <T>(asked: Promise<T> | undefined): Promise<T | undefined> => {
    try {
      return await asked;
    } catch (error) {
      troubles.add(messageOf(error));
      return undefined;
    }
  };
  const [active, groups, silences = [], rows, mesh = []] = await Promise.all([
    // Not every store with Prometheus's API lists alerts.
    activeAlerts(prometheus.url, fetcher).catch((error: unknown) => messageOf(error)),
    orTrouble(alertmanager?.groups()),
    orTrouble(alertmanager?.silences()),
    orTrouble(sloRows(prometheus)),
    orTrouble(meshChanges(prometheus, atMs)),
  ]);
  const isListed = typeof active !== 'string';
  if (!isListed && !groups) throw new UserError([...new Set([active, ...troubles])].join('; '));
  const burning = (rows ?? []).filter((r) => (r.burn ?? 0) >= 1 || (r.remaining ?? 1) < 0.25);
  burning.sort((a, b) => (b.burn ?? 0) - (a.burn ?? 0));
  return {
    groups: groups
      ? groups.map(({ labels, receiver, alerts }) => {
          return { labels, receiver: receiver.name, alerts: alerts.map(firing) };
        })
      : byName(isListed ? active : []),
    grouped: groups !== undefined,
    troubles: [...troubles],
    ...(isListed && { lost: groups ? lostOf(active, groups, atMs) : [] }),
    ...(rows && { slos: rows.length }),
    withoutBurn: (rows ?? []).filter((r) => r.burn === undefined).length,
    burning: burning.slice(0, maxBurning),
    changed: [...silenceChanges(silences, atMs), ...drillChanges(stateFolder, atMs), ...mesh]
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, maxChanged),
  };
}

/** By name, since Prometheus may change labels on the way; an alert of the last minute may still be under way. */
function lostOf(
  active: Awaited<ReturnType<typeof activeAlerts>>,
  groups: Awaited<ReturnType<AlertmanagerApi['groups']>>,
  atMs: number,
): string[] {
  const known = new Set(groups.flatMap((g) => g.alerts.map((a) => a.labels.alertname)));
  const fired = active.filter((a) => a.state === 'firing' && a.activeAtMs < atMs - sentWithinMs);
  return [...new Set(fired.map((a) => a.labels.alertname ?? ''))].filter((n) => !known.has(n));
}

function firing({ labels, annotations = {}, startsAt, status }: AmAlert): FiringAlert {
  const { silencedBy, inhibitedBy, state } = status;
  const withheld =
    silencedBy.length > 0
      ? 'silenced'
      : inhibitedBy.length > 0
        ? 'inhibited'
        : state === 'suppressed'
          ? 'muted'
          : undefined;
  return { ...alertOf(labels, annotations, Date.parse(startsAt)), ...(withheld && { withheld }) };
}

function alertOf(
  labels: Record<string, string>,
  { summary, runbook_url: runbookUrl }: Record<string, string>,
  sinceMs: number,
): FiringAlert {
  return {
    name: labels.alertname ?? 'without a name',
    severity: labels.severity ?? 'none',
    labels,
    sinceMs,
    ...(summary !== undefined && { summary }),
    ...(runbookUrl !== undefined && { runbookUrl }),
  };
}

function byName(alerts: Awaited<ReturnType<typeof activeAlerts>>): AlertGroup[] {
  const groups = new Map<string, AlertGroup>();
  for (const { state, labels, annotations, activeAtMs } of alerts) {
    if (state !== 'firing') continue;
    const { alertname = '' } = labels;
    const group = groups.get(alertname) ?? { labels: { alertname }, alerts: [] };
    group.alerts.push(alertOf(labels, annotations, activeAtMs));
    groups.set(alertname, group);
  }
  return [...groups.values()];
}

function silenceChanges(silences: readonly AmSilence[], atMs: number): Now['changed'] {
  const started = new Map(silences.map((s) => [s.id, Date.parse(s.startsAt)]));
  return silencesAt(silences, atMs).map(({ id, comment, createdBy, endsAt, matchers }) => {
    const of = matchers.map((m) => `${m.name}${m.op}"${m.value}"`).join(', ');
    const until = endsAt.slice(0, 16).replace('T', ' ');
    const text = `silence of ${of} by ${createdBy} until ${until} UTC: ${comment}`;
    return { atMs: started.get(id) ?? atMs, text };
  });
}

function drillChanges(stateFolder: string, atMs: number): Now['changed'] {
  return readCoverage(stateFolder)
    .filter((run) => run.atMs >= atMs - dayMs)
    .map((run) => {
      return { atMs: run.atMs, text: `drill of ${run.system}: ${run.scenarios.join(', ')}` };
    });
}

/** Metrics whose value is the time of a change, and the change. */
const timesOfChange = {
  process_start_time_seconds: 'started',
  proxy_config_applied_timestamp_seconds: 'new configuration applied',
  control_identity_cert_refresh_timestamp_seconds: 'certificate renewed',
};

/** The latest change of each kind at each target, in the last day; changes that come together are one. */
async function meshChanges(prometheus: PrometheusClient, atMs: number): Promise<Now['changed']> {
  const kinds = Object.entries(timesOfChange).map(async ([metric, text]) => {
    const found = await prometheus.query(`${metric} > ${(atMs - dayMs) / 1000}`, atMs);
    const changes: { atMs: number; names: Set<string> }[] = [];
    for (const { labels, value } of found.toSorted((a, b) => a.value - b.value)) {
      const { workload, pod, job, instance } = labels;
      const last = changes.at(-1);
      const isNew = !last || value * 1000 - last.atMs > togetherMs;
      const own = isNew ? { atMs: value * 1000, names: new Set<string>() } : last;
      if (isNew) changes.push(own);
      own.names.add(workload ?? pod ?? job ?? instance ?? 'a target without a name');
    }
    return changes.map((c) => ({
      atMs: c.atMs,
      text: `${text}: ${[...c.names].sort().join(', ')}`,
    }));
  });
  return (await Promise.all(kinds)).flat();
}

async function sloRows(prometheus: PrometheusClient): Promise<SloRow[]> {
  const atMs = Date.now();
  const rows = new Map<string, SloRow>();
  const put = async (query: string, field: Exclude<keyof SloRow, 'slo' | 'service'>) => {
    for (const { labels, value } of await prometheus.query(query, atMs)) {
      const { [sloNames.sloLabel]: slo, [sloNames.serviceLabel]: service = '' } = labels;
      if (slo === undefined || !Number.isFinite(value)) continue;
      const row = rows.get(slo) ?? { slo, service };
      row[field] = value;
      rows.set(slo, row);
    }
  };
  await put(sloNames.objectiveRatioMetric, 'objective');
  await put(sloNames.budgetRemainingMetric, 'remaining');
  await put(sloNames.currentBurnMetric, 'burn');
  await put(sloNames.periodDaysMetric, 'periodDays');
  await put(
    `1 - ${sloNames.periodBurnMetric} * on (slo) group_left () ${sloNames.errorBudgetMetric}`,
    'achieved',
  );
  return [...rows.values()].sort((a, b) => (a.remaining ?? 2) - (b.remaining ?? 2));
}

const ranges: Record<string, number> = {
  '10m': 600_000,
  '1h': dayMs / 24,
  '6h': dayMs / 4,
  '1d': dayMs,
};

async function sloView(prometheus: PrometheusClient, query: URLSearchParams): Promise<SloView> {
  const row = (await sloRows(prometheus)).find((r) => r.slo === query.get('id'));
  if (!row) throw new UserError(`${prometheus.url} has no rules of that SLO`);
  const rangeMs = ranges[query.get('range') ?? ''] ?? (row.periodDays ?? 30) * dayMs;
  const toMs = Date.now();
  const of = `{${sloNames.sloLabel}=${JSON.stringify(row.slo)}}`;
  const fromMs = query.has('range') ? toMs - rangeMs : await begunMs(prometheus, of, toMs);
  const ask = (expr: string): Promise<SampleSeries[]> =>
    prometheus.range(expr, fromMs, toMs, (toMs - fromMs) / points);
  const [remainingOverTime, burnSeries, events, rules] = await Promise.all([
    ask(`${sloNames.budgetRemainingMetric}${of}`),
    Promise.all(
      windowsMs.map((ms) =>
        ask(`${sloNames.errorRatio(ms)}${of} / on (slo) ${sloNames.errorBudgetMetric}${of}`),
      ),
    ),
    ask(`{__name__=~"slo:events_(bad|total):increase.+",${of.slice(1)}`),
    prometheus.rules(),
  ]);
  const own = rules.filter((r) => r.labels?.[sloNames.sloLabel] === row.slo);
  const timeScale = own.find((r) => r.labels?.time_scale !== undefined)?.labels?.time_scale;
  return {
    ...row,
    fromMs,
    toMs,
    remainingOverTime,
    burns: windowsMs.flatMap((ms, i) => {
      const [series] = burnSeries[i] ?? [];
      return series ? [{ window: windowName(ms), points: series.points }] : [];
    }),
    ...factorsOf(own),
    ...(timeScale !== undefined && { timeScale }),
    ...finest(events),
  };
}

/** Six hours ago, or the SLO's first sample if that is later: a drill's whole history may be minutes. */
async function begunMs(prometheus: PrometheusClient, of: string, toMs: number): Promise<number> {
  const first = `min_over_time(timestamp(${sloNames.objectiveRatioMetric}${of})[6h:15s])`;
  const [sample] = await prometheus.query(first, toMs);
  const earliestMs = toMs - dayMs / 4;
  return Math.min(toMs - 60_000, Math.max(earliestMs, (sample?.value ?? 0) * 1000));
}

const windowName = (ms: number): string =>
  ms >= dayMs ? `${ms / dayMs}d` : ms >= 3_600_000 ? `${ms / 3_600_000}h` : `${ms / 60_000}m`;

/** Reads factors from rules in their written form, `> (3 * 0.001)`. */
function factorsOf(
  rules: Awaited<ReturnType<PrometheusClient['rules']>>,
): Pick<SloView, 'factors' | 'unread'> {
  const found = new Map<string, SloView['factors'][number]>();
  const unread = new Set<string>();
  for (const { type, query, labels } of rules) {
    if (type !== 'alerting') continue;
    const severity = labels?.[sloNames.sloSeverityLabel] ?? labels?.severity ?? 'none';
    const factors = [...query.matchAll(/> \((\d+(?:\.\d+)?) \* /g)].map((m) => Number(m[1]));
    if (factors.length === 0) unread.add(severity);
    for (const factor of factors) found.set(`${factor} ${severity}`, { factor, severity });
  }
  const factors = [...found.values()].sort((a, b) => a.factor - b.factor);
  return { factors, unread: [...unread] };
}

/** The shortest step that has series. */
function finest(series: readonly SampleSeries[]): Pick<SloView, 'events' | 'stepMs'> {
  const named = series.flatMap(({ labels, points: own }) => {
    const match = /events_(bad|total):increase(\d+)(ms|s|m|h|d)$/.exec(labels.__name__ ?? '');
    if (!match) return [];
    const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: dayMs }[match[3] as 's'];
    return [{ side: match[1] as string, ms: Number(match[2]) * unit, points: own }];
  });
  const stepMs = Math.min(...named.map((n) => n.ms));
  const events = named
    .filter((n) => n.ms === stepMs)
    .map(({ side, points: own }) => ({ name: side === 'total' ? 'all' : side, points: own }));
  return { events, stepMs };
}

export interface RunbookView {
  title: string;
  html: string;
  /** Absent: neither Alertmanager nor Prometheus has told. */
  fires?: boolean;
  /** The reason why the page is without answers: it is read all the same. */
  unanswered?: string;
}

/** The runbook page of an alert by its name; if the alert fires, with its labels and the answers to its queries. */
async function runbook(sources: OnCallSources, query: URLSearchParams): Promise<RunbookView> {
  const { prometheus } = sources;
  const name = query.get('alert') ?? '';
  const given = labelsIn(query.get('labels') ?? '{}');
  const all = await firingNow(sources);
  const own = all?.find(
    (a) => a.name === name && Object.entries(given).every(([k, v]) => a.labels[k] === v),
  );
  const labels = own?.labels ?? given;
  const { slo, service } = labels;
  const page = pageFor(readPages(), name, slo !== undefined);
  if (!page) throw new UserError(`no runbook page answers the alert '${name}'`);
  const atMs = Date.now();
  const facts = {
    alert: name,
    labels: { alertname: name, ...labels },
    ...(slo !== undefined && { slo }),
    ...(own && { startedAt: new Date(own.sinceMs).toISOString(), severity: own.severity }),
    ...(own?.summary !== undefined && { summary: own.summary }),
  };
  const view = { title: page.title, ...(all && { fires: own !== undefined }) };
  try {
    const more = await factsFromPrometheus(prometheus, { slo, service }, atMs);
    const markdown = await answeredPage(page, { ...facts, ...more }, prometheus, atMs);
    return { ...view, html: markdownToHtml(markdown) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...view, html: markdownToHtml(renderPage(page, facts)), unanswered: error.message };
  }
}

/** Alertmanager's alerts, or otherwise Prometheus's; undefined: neither answers. */
const firingNow = (sources: OnCallSources): Promise<FiringAlert[] | undefined> => {
  const { prometheus, fetcher, alertmanager } = sources;
  const inPrometheus = async (): Promise<FiringAlert[]> =>
    byName(await activeAlerts(prometheus.url, fetcher)).flatMap((g) => g.alerts);
  const told = alertmanager?.alerts().then((alerts) => alerts.map(firing)) ?? inPrometheus();
  return told.catch(inPrometheus).catch(() => undefined);
};

function labelsIn(json: string): Record<string, string> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(json));
  } catch {
    throw new UserError("the address of this page has no alert's labels: follow its link in Now");
  }
}
