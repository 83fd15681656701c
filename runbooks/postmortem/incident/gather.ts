/**
 * Gathers the known facts of an incident: asks Prometheus, Alertmanager and Git, and reports the facts that they lack.
 */
import { execFile } from 'node:child_process';
import { basename, resolve } from 'node:path';
import { promisify } from 'node:util';
import { AlertmanagerApi, silenceText } from '../../../alerts/routing/alertmanager-api.js';
import { type AmConfig, readAmConfigText } from '../../../alerts/routing/config.js';
import { loadedRules } from '../../../alerts/watch/existing/rules.js';
import { getJson } from '../../../alerts/watch/prometheus-api.js';
import { type Access, fetchWith } from '../../../base/access.js';
import { messageOf, UserError } from '../../../base/errors.js';
import { PrometheusClient } from '../../../slo/budget/prometheus.js';
import type { AlertingRule } from '../../../slo/rules/model.js';
import { firedAlerts, grouped } from './alerts.js';
import { graphOf } from './graphs.js';
import type { BudgetFact, Commit, Incident, RuleGraph, SilenceFact } from './model.js';

export interface IncidentQuestion {
  title?: string;
  fromMs: number;
  toMs: number;
  prometheus: Access;
  alertmanager?: Access;
  /** Selects alerts: `namespace="shop"`; empty for all. */
  matchers: string;
  /** Git repositories. */
  git: readonly string[];
}

const graphsMax = 8;
const stepMinMs = 5000;
const pointsWanted = 2000;

export async function gatherIncident(question: IncidentQuestion): Promise<Incident> {
  const { fromMs, toMs, prometheus, matchers } = question;
  const client = new PrometheusClient(prometheus.url, 30_000, fetchWith(prometheus));
  const stepMs = Math.max(stepMinMs, Math.ceil((toMs - fromMs) / pointsWanted / 1000) * 1000);
  const notMeasured: Incident['notMeasured'] = [];
  const unknown = (what: string, why: string): void => void notMeasured.push({ what, why });
  const groups = await loadedRules(prometheus);
  const rules = groups.flatMap((g) => g.rules).filter((r) => r.kind === 'alert');
  const fired = await firedAlerts(client, { fromMs, toMs, stepMs }, matchers);
  const manager = await managerOf(question, unknown);
  if (fired.length === 0) {
    const seen = await client.query(`count(count_over_time(up${rangeOf(fromMs, toMs)}))`, toMs);
    if (seen.length === 0) unknown('alerts', noData);
  }
  const names = [...new Set(fired.map((a) => a.labels.alertname ?? ''))];
  const notifications = await notificationsOf(client, fromMs, toMs);
  if (notifications === undefined) {
    const why = 'Prometheus does not scrape the Alertmanager (alertmanager_notifications_total)';
    unknown('who was notified, and when', `${why}; Alertmanager keeps no history`);
  }
  const version = await versionOf(prometheus);
  return {
    version: 1,
    title: question.title ?? (names.length > 0 ? names.slice(0, 3).join(', ') : 'an incident'),
    fromMs,
    toMs,
    stepMs,
    prometheus: { url: prometheus.url, ...(version !== undefined && { version }) },
    ...(manager.of && { alertmanager: manager.of }),
    groups: grouped(fired, rules, manager.config),
    groupedBy: manager.config
      ? "the routes of the Alertmanager's configuration as it is now"
      : 'name, severity, namespace and service',
    ...(notifications && { notifications }),
    silences: manager.silences,
    graphs: await graphsOf(client, rules, names, question, unknown),
    commits: await commitsOf(question, unknown),
    budgets: await budgetsOf(client, fromMs, toMs, unknown),
    notMeasured,
  };
}

type Unknown = (what: string, why: string) => void;

interface Manager {
  of?: { url: string; version: string };
  config?: AmConfig;
  silences: SilenceFact[];
}

async function managerOf(question: IncidentQuestion, unknown: Unknown): Promise<Manager> {
  const { alertmanager, fromMs, toMs } = question;
  if (!alertmanager) {
    unknown('silences, routes and grouping', 'no --alertmanager was given');
    return { silences: [] };
  }
  const api = new AlertmanagerApi(alertmanager.url, fetchWith(alertmanager));
  const [status, silences] = await Promise.all([api.status(), api.silences()]);
  let config: AmConfig | undefined;
  try {
    config = readAmConfigText('the configuration of the Alertmanager', status.config);
  } catch (error) {
    unknown('grouping', `its configuration is not understood: ${messageOf(error).split('\n')[0]}`);
  }
  const own = silences
    .map((s): SilenceFact => ({
      startMs: Date.parse(s.startsAt),
      endMs: Date.parse(s.endsAt),
      matchers: silenceText(s),
      comment: s.comment,
    }))
    .filter((s) => s.startMs < toMs && s.endMs > fromMs)
    .sort((a, b) => a.startMs - b.startMs);
  const of = { url: alertmanager.url, version: status.version };
  return { of, silences: own, ...(config && { config }) };
}

async function versionOf(prometheus: Access): Promise<string | undefined> {
  const url = `${prometheus.url}/api/v1/status/buildinfo`;
  const answer = await getJson(url, fetchWith(prometheus)).catch(() => undefined);
  return (answer as { data?: { version?: string } } | undefined)?.data?.version;
}

const noData =
  'Prometheus scraped nothing (up) in this stretch: that no alert fired in it shows nothing';

const rangeOf = (fromMs: number, toMs: number): string =>
  `[${Math.max(1, Math.round((toMs - fromMs) / 1000))}s]`;

async function notificationsOf(
  client: PrometheusClient,
  fromMs: number,
  toMs: number,
): Promise<Incident['notifications']> {
  const range = rangeOf(fromMs, toMs);
  const sum = (metric: string) =>
    client.query(`sum by (integration) (increase(${metric}${range}))`, toMs);
  const [sent, failed] = await Promise.all([
    sum('alertmanager_notifications_total'),
    sum('alertmanager_notifications_failed_total'),
  ]);
  if (sent.length === 0) return undefined;
  const rows = sent.map(({ labels, value }) => {
    const integration = labels.integration ?? '';
    const failure = failed.find((f) => f.labels.integration === integration)?.value ?? 0;
    return { integration, count: Math.round(value), failed: Math.round(failure) };
  });
  return rows.filter((row) => row.count > 0);
}

async function graphsOf(
  client: PrometheusClient,
  rules: readonly AlertingRule[],
  names: readonly string[],
  stretch: { fromMs: number; toMs: number },
  unknown: Unknown,
): Promise<RuleGraph[]> {
  const graphs: RuleGraph[] = [];
  for (const name of names) {
    if (graphs.length >= graphsMax) {
      unknown(`the graph of ${name}`, `${graphsMax} are plotted`);
      continue;
    }
    const rule = rules.find((r) => r.alert === name);
    const graph = rule
      ? await graphOf(client, rule, stretch).catch((error: unknown) => messageOf(error))
      : 'its rule is not loaded any more';
    if (typeof graph === 'string') unknown(`the graph of ${name}`, graph);
    else graphs.push(graph);
  }
  return graphs;
}

const beforeMax = 5;
const gitLimitMs = 20_000;

async function commitsOf(question: IncidentQuestion, unknown: Unknown): Promise<Commit[]> {
  const { git, fromMs, toMs } = question;
  if (git.length === 0) unknown('deployments and changes', 'no --git was given');
  const commits: Commit[] = [];
  for (const folder of git) {
    const log = async (...args: string[]): Promise<Commit[]> => {
      const format = '--format=%H%x09%ct%x09%s';
      const { stdout } = await promisify(execFile)('git', ['-C', folder, 'log', format, ...args], {
        timeout: gitLimitMs,
        maxBuffer: 4_000_000,
      });
      const repository = basename(resolve(folder));
      return stdout.split('\n').flatMap((line): Commit[] => {
        const [hash, seconds, subject] = line.split('\t');
        if (hash === undefined || subject === undefined) return [];
        const atMs = Number(seconds) * 1000;
        const before = atMs < fromMs;
        return [
          { hash: hash.slice(0, 10), atMs, subject: subject.slice(0, 120), before, repository },
        ];
      });
    };
    try {
      const at = (ms: number): string => new Date(ms).toISOString();
      commits.push(
        ...(await log('--max-count', String(beforeMax), `--until=${at(fromMs - 1000)}`)),
      );
      commits.push(
        ...(await log('--max-count', '100', `--since=${at(fromMs)}`, `--until=${at(toMs)}`)),
      );
    } catch (error) {
      throw new UserError(
        `${folder}: Git does not tell its history: ${messageOf(error).split('\n')[0]}`,
      );
    }
  }
  return commits.sort((a, b) => a.atMs - b.atMs);
}

/** Budgets of the SLOs whose events Prometheus records, by the rules of `firedrill slo generate`. */
async function budgetsOf(
  client: PrometheusClient,
  fromMs: number,
  toMs: number,
  unknown: Unknown,
): Promise<BudgetFact[]> {
  const names = await client.metricNames();
  const steps = names.flatMap((n) => /^slo:events_bad:increase(\w+)$/.exec(n)?.[1] ?? []);
  const [step] = steps.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  if (step === undefined) {
    unknown('error budget', 'Prometheus records no events of an SLO (slo:events_bad:increase...)');
    return [];
  }
  const range = (ms: number): string => `[${Math.max(1, Math.round(ms) - 1)}ms]`;
  const sum = (side: string, ms: number): string =>
    `sum by (slo) (sum_over_time(slo:events_${side}:increase${step}${range(ms)}))`;
  const source = sum('bad', toMs - fromMs);
  const [bad, total, objective, days] = await Promise.all(
    [
      source,
      sum('total', toMs - fromMs),
      'max by (slo) (slo:objective:ratio)',
      'max by (slo) (slo:time_period:days)',
    ].map((query) => client.query(query, toMs)),
  );
  const valueOf = (samples: typeof bad, slo: string): number | undefined =>
    samples?.find((s) => s.labels.slo === slo)?.value;
  const facts: BudgetFact[] = [];
  for (const { labels, value } of total ?? []) {
    const slo = labels.slo ?? '';
    const own = valueOf(bad, slo) ?? 0;
    if (own <= 0) continue;
    const objectiveRatio = valueOf(objective, slo);
    const periodDays = valueOf(days, slo);
    const fact: BudgetFact = { slo, bad: own, total: value, source };
    if (objectiveRatio !== undefined) fact.objective = objectiveRatio;
    if (objectiveRatio !== undefined && periodDays !== undefined) {
      const selector = `slo:events_total:increase${step}{slo=${JSON.stringify(slo)}}`;
      const period = range(periodDays * 86_400_000);
      const whole = await client.scalar(`sum(sum_over_time(${selector}${period}))`, toMs);
      const allowed = (whole ?? 0) * (1 - objectiveRatio);
      if (allowed > 0) Object.assign(fact, { periodDays, spentOfPeriod: own / allowed });
    }
    facts.push(fact);
  }
  return facts;
}
