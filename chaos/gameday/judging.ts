/** The rules and the routing by which a drill is judged, at its time scale: its SLOs', its own, the library's. */
import { availableParallelism } from 'node:os';
import { libraryGroups } from '../../alerts/index.js';
import { type AmConfig, readAmConfig } from '../../alerts/routing/config.js';
import { readSilences } from '../../alerts/routing/silence-file.js';
import { standardRouting } from '../../alerts/routing/standard.js';
import {
  chooseScale,
  readRules,
  type RuleRemark,
  scaleReadGroups,
  withDistinctNames,
} from '../../alerts/scale/index.js';
import type { AlertmanagerOptions } from '../../alerts/watch/index.js';
import { formatDurationMs } from '../../base/duration.js';
import { formatProblem, UserError } from '../../base/errors.js';
import { compileSlos, readSlos, type RuleGroup, type Slo } from '../../slo/index.js';
import type { Timing } from '../runner/context.js';
import type { Drill } from '../system/drill-file.js';
import { notIn, withoutRulesOf } from './generated-rules.js';
import { defaultTimeScale, timingOf } from './options.js';

export interface Judging {
  timing: Timing;
  slos: Slo[];
  groups: RuleGroup[];
  alertmanager: AlertmanagerOptions | undefined;
  /** Receivers that an expectation may name; undefined: there is one for all alerts. */
  receivers: string[] | undefined;
  /** The configuration as written; undefined: all alerts go to the one receiver. */
  routing: AmConfig | undefined;
  /** Differences of the rules from production: `file:line:column: ...`. */
  remarks: string[];
}

export interface JudgedBy {
  drill: Pick<Drill, 'library'>;
  slos: readonly string[];
  rules: readonly string[];
  alertmanager?: string;
  silences?: string;
  /** The time at which mute and active time intervals are evaluated; absent: the wall clock. */
  routingMs?: number;
  timeScale: number;
  allowanceMs: number;
}

/** Throws a UserError with the place of every mistake in the files, before anything is started. */
export function judgingOf(by: JudgedBy): Judging {
  const { timeScale, drill } = by;
  const timing = timingOf(timeScale, by.allowanceMs);
  const { scrapeIntervalMs, stepMs } = timing;
  const slos = by.slos.length === 0 ? [] : readSlos(by.slos);
  const read = withoutRulesOf(slos, readRules(by.rules));
  const own = scaleReadGroups(read, { timeScale, scrapeIntervalMs });
  const library = libraryGroups({ timeScale, scrapeIntervalMs }).map((group) => ({
    ...group,
    intervalMs: Math.max(group.intervalMs ?? 0, scrapeIntervalMs),
  }));
  const groups = withDistinctNames([
    ...compileSlos(slos, { timeScale, stepMs }),
    ...own.groups,
    ...(drill.library ? notIn(own.groups, library) : []),
  ]);
  const routing = by.alertmanager === undefined ? undefined : readAmConfig(by.alertmanager);
  return {
    timing,
    slos,
    groups,
    alertmanager: alertmanagerOf(by),
    receivers: routing?.receivers.map((r) => r.name),
    routing,
    remarks: [
      ...[...own.adjusted, ...own.unscalable].map((r: RuleRemark) => formatProblem(r)),
      ...lookbackRemark(timing),
    ],
  };
}

function alertmanagerOf({ alertmanager, silences, drill, timeScale, routingMs }: JudgedBy) {
  if (silences !== undefined && alertmanager === undefined && !drill.library) {
    throw new UserError({
      message: `${silences} silences nothing`,
      expected: 'an alertmanager.yml',
    });
  }
  const silenced = silences === undefined ? {} : { silences: readSilences(silences) };
  if (alertmanager !== undefined) {
    const pretended = routingMs === undefined ? {} : { pretendedMs: routingMs };
    return { file: alertmanager, timeScale, ...pretended, ...silenced };
  }
  if (!drill.library) return undefined;
  return { file: 'the standard routing', config: standardRouting(), timeScale, ...silenced };
}

/** Prometheus's own default of --query.lookback-delta. */
const lookbackMs = 300_000;

/**
 * The lookback is not scaled, because it would be a few scrapes long, and each delay of the machine would be a gap. A
 * series that ends is marked as stale by the next scrape at any scale.
 */
function lookbackRemark({ timeScale }: Timing): string[] {
  if (timeScale === 1) return [];
  const scaled = formatDurationMs(Math.round(lookbackMs * timeScale));
  return [
    `Prometheus's lookback stays at 5m of real time (scaled: ${scaled}): a series that ends without a stale ` +
      'marker is seen longer',
  ];
}

/** Rules are written for scrapes this far apart by default. */
const usualScrapeMs = 15_000;

/**
 * Returns the time scale if the user gives none, and the reason: the smallest scale at which the rules' shortest range
 * still holds enough scrapes on this machine; without rules, the default scale and no reason. Rules that the drill's
 * SLOs generate are left out, as the drill leaves them out.
 */
export function autoScale(
  by: Pick<JudgedBy, 'slos' | 'rules'>,
  targets: number,
): { scale: number; why: string | undefined } {
  const slos = by.slos.length === 0 ? [] : readSlos(by.slos);
  const own = withoutRulesOf(slos, readRules(by.rules));
  if (own.length === 0) return { scale: defaultTimeScale, why: undefined };
  const machine = { cpus: availableParallelism(), targets };
  const { scale, why } = chooseScale(own, usualScrapeMs, machine);
  return { scale, why: `time scale ${why}` };
}
