/** Asks Prometheus and Alertmanager, and reads the results of game days: the only part with input from outside. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AlertmanagerApi, silenceText } from '../../alerts/routing/alertmanager-api.js';
import { UserError } from '../../base/errors.js';
import type { PrometheusClient } from '../../slo/budget/prometheus.js';
import { type GameDayResult, parseResult } from '../report/result.js';
import { historyOf } from './alerts.js';
import type { AlertHistory, Silence } from './model.js';

/** Number of samples over the period: fine enough to separate firings, few enough for one answer. */
const stepsMax = 4000;

const stepOf = (startMs: number, endMs: number): number =>
  Math.max(60_000, Math.ceil((endMs - startMs) / stepsMax));

/** Days in which anything was scraped: a Prometheus may be younger than the period, or keep less. */
export async function daysSeen(
  prometheus: PrometheusClient,
  startMs: number,
  endMs: number,
): Promise<number> {
  const stepMs = stepOf(startMs, endMs);
  const [seen] = await prometheus.range('count(up)', startMs, endMs, stepMs);
  return ((seen?.points.length ?? 0) * stepMs) / 86_400_000;
}

export async function alertHistory(
  prometheus: PrometheusClient,
  startMs: number,
  endMs: number,
): Promise<AlertHistory[]> {
  const stepMs = stepOf(startMs, endMs);
  const query = 'max by (alertname, severity, service) (ALERTS{alertstate="firing"})';
  return historyOf(await prometheus.range(query, startMs, endMs, stepMs), stepMs);
}

/** Silences that are active or pending at `endMs`, and those that ended after `startMs`. */
export async function silencesOf(url: string, startMs: number): Promise<Silence[]> {
  return (await new AlertmanagerApi(url).silences())
    .map((s) => ({
      matchers: silenceText(s),
      by: s.createdBy,
      comment: s.comment,
      startMs: Date.parse(s.startsAt),
      endMs: Date.parse(s.endsAt),
    }))
    .filter((s) => s.endMs > startMs);
}

/**
 * Takes a report's folder, a folder of such folders, or a result.json; returns the game days that began within the
 * time.
 */
export function gameDaysOf(
  paths: readonly string[],
  startMs: number,
  endMs: number,
): GameDayResult[] {
  const files = paths.flatMap(resultFiles);
  return files
    .map((file) => parseResult(file, readFileSync(file, 'utf8')))
    .filter((g) => Date.parse(g.startedAt) >= startMs && Date.parse(g.startedAt) <= endMs)
    .sort((a, b) => a.startedAt.localeCompare(b.startedAt));
}

function resultFiles(path: string): string[] {
  if (path.endsWith('.json') && existsSync(path)) return [path];
  const own = join(path, 'result.json');
  if (existsSync(own)) return [own];
  let names: string[];
  try {
    names = readdirSync(path);
  } catch {
    throw new UserError({
      message: `${path} cannot be read`,
      expected: "a game day's report folder, a folder of them, or a result.json",
    });
  }
  return names.map((n) => join(path, n, 'result.json')).filter((f) => existsSync(f));
}
