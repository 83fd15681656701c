/**
 * Random configurations and firings: the notifications of `alerts diff`, and the alerts that a Prometheus sends to an
 * Alertmanager.
 */
import { stringify } from 'yaml';
import { tellings } from '../alerts/change/told.js';
import type { RuleFiring } from '../alerts/proof/backtest/rules.js';
import type { AmConfig, AmInhibitRule, AmRoute } from '../alerts/routing/config.js';
import { type Random, seededRandom } from '../base/random.js';

const minuteMs = 60_000;
const hours = 12;
const endMs = hours * 60 * minuteMs;
/** The start time under testing/synctest: times of a case count from it. */
const beginMs = Date.UTC(2000, 0, 1);

export interface Told {
  atMs: number;
  receiver: string;
  /** Labels of the firing alerts, each as JSON, sorted. */
  firing: string[];
}

export interface NotificationCase {
  config: string;
  sent: { atMs: number; labels: Record<string, string>; startsMs: number; endsMs: number }[];
  endMs: number;
  told: Told[];
}

const pick = <T>(random: Random, all: readonly T[]): T => all[random.below(all.length)] as T;
const chance = (random: Random, share: number): boolean => random.next() < share;

const teams = ['a', 'b', 'c'];
const severities = ['page', 'ticket'];
const zones = ['x', 'y', ''];
const receivers = ['r0', 'r1', 'r2', 'r3'];
const intervals = ['night', 'office', 'monday'];

function matcherOf(random: Random): string {
  const [name, values] = pick(random, [
    ['team', teams],
    ['severity', severities],
    ['zone', zones],
  ] as const);
  const op = pick(random, ['=', '=', '!=', '=~', '!~']);
  return `${name}${op}"${op.includes('~') ? `${pick(random, values)}|b` : pick(random, values)}"`;
}

/** The route's waits are chosen so that no group is sent at the moment when an alert comes or goes. */
function routeOf(random: Random, depth: number): AmRoute {
  const named = chance(random, 0.25) ? [pick(random, intervals)] : undefined;
  return {
    receiver: pick(random, receivers),
    ...(depth > 0 && { matchers: [matcherOf(random)] }),
    ...(depth > 0 && chance(random, 0.4) && { continue: true }),
    ...(chance(random, 0.7) && {
      group_by: pick(random, [['alertname'], ['team'], ['team', 'zone'], ['...'], ['severity']]),
    }),
    ...(chance(random, 0.7) && { group_wait: pick(random, ['1s', '10s', '30s', '90s', '210s']) }),
    ...(chance(random, 0.7) && { group_interval: pick(random, ['1m', '2m', '5m', '7m', '30m']) }),
    ...(chance(random, 0.7) && { repeat_interval: pick(random, ['10m', '1h', '61m', '3h']) }),
    ...(depth > 0 && named && chance(random, 0.5) && { mute_time_intervals: named }),
    ...(depth > 0 && named && chance(random, 0.3) && { active_time_intervals: named }),
    ...(depth < 2 && {
      routes: Array.from({ length: random.below(4 - depth) }, () => routeOf(random, depth + 1)),
    }),
  };
}

function inhibitionOf(random: Random): AmInhibitRule {
  return {
    source_matchers: [matcherOf(random)],
    target_matchers: [matcherOf(random)],
    equal: pick(random, [[], ['team'], ['team', 'zone']]),
  };
}

const configOf = (random: Random): AmConfig => ({
  route: routeOf(random, 0),
  inhibit_rules: Array.from({ length: random.below(3) }, () => inhibitionOf(random)),
  time_intervals: [
    {
      name: 'night',
      time_intervals: [{ times: [{ start_time: '00:00', end_time: '04:30' }] }],
    },
    {
      name: 'office',
      time_intervals: [
        { times: [{ start_time: '08:00', end_time: '18:00' }], weekdays: ['saturday'] },
      ],
    },
    { name: 'monday', time_intervals: [{ weekdays: ['monday'] }] },
  ],
  receivers: receivers.map((name) => ({
    name,
    webhook_configs: [{ url: 'http://127.0.0.1:9/', send_resolved: true }],
  })),
});

/** Firings of up to ten alerts; each alert is evaluated once a minute, 0.1 s after the one before. */
function firingsOf(random: Random): RuleFiring[] {
  const all = new Map<string, RuleFiring[]>();
  for (let n = 1 + random.below(10); n > 0; n--) {
    const zone = pick(random, zones);
    const labels = {
      team: pick(random, teams),
      severity: pick(random, severities),
      ...(zone !== '' && { zone }),
    };
    const alert = pick(random, ['A', 'B', 'C']);
    const own: RuleFiring[] = [];
    for (let minute = 1 + random.below(200); minute < hours * 60; minute += 1 + random.below(300)) {
      const firedMs = beginMs + minute * minuteMs + n * 100;
      minute += 1 + random.below(chance(random, 0.5) ? 10 : 240);
      const over = minute < hours * 60 && { resolvedMs: beginMs + minute * minuteMs + n * 100 };
      own.push({ alert, labels, severity: undefined, activeMs: firedMs, firedMs, ...over });
    }
    all.set(JSON.stringify([alert, Object.entries(labels).sort()]), own);
  }
  return [...all.values()].flat();
}

/**
 * The alerts as Prometheus sends them (rules/alerting.go): at once when they fire, at each second evaluation while
 * they fire (the delay of a minute must be exceeded), and for a quarter of an hour after they ended or until they
 * fire again.
 */
function sentOf(firings: readonly RuleFiring[]): NotificationCase['sent'] {
  return firings
    .flatMap((firing) => {
      const labels = { ...firing.labels, alertname: firing.alert };
      const again = firings
        .filter((f) => f.labels === firing.labels && f.firedMs > firing.firedMs)
        .map((f) => f.firedMs);
      const overMs = firing.resolvedMs ?? Infinity;
      const untilMs = Math.min(overMs + 15 * minuteMs + 1, beginMs + endMs, ...again);
      const sent: NotificationCase['sent'] = [];
      let lastMs = -Infinity;
      for (let atMs = firing.firedMs; atMs < untilMs; atMs += minuteMs) {
        const isNews = atMs >= overMs && lastMs < overMs;
        if (!isNews && atMs - lastMs <= minuteMs) continue;
        lastMs = atMs;
        sent.push({
          atMs: atMs - beginMs,
          labels,
          startsMs: firing.firedMs - beginMs,
          endsMs: (atMs >= overMs ? overMs : atMs + 4 * minuteMs) - beginMs,
        });
      }
      return sent;
    })
    .sort((a, b) => a.atMs - b.atMs);
}

export const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort());

/** Case `n` of a seed; the same each time. */
export function notificationCase(seed: number, n: number): NotificationCase {
  const random = seededRandom(seed * 1_000_003 + n);
  const config = configOf(random);
  const firings = firingsOf(random);
  const span = { startMs: beginMs, endMs: beginMs + endMs, stepMs: minuteMs };
  return {
    config: stringify(config),
    sent: sentOf(firings),
    endMs,
    told: tellings(firings, config, span).map((t) => ({
      atMs: t.atMs - beginMs,
      receiver: t.receiver,
      firing: t.firings.map((f) => keyOf({ ...f.labels, alertname: f.alert })).sort(),
    })),
  };
}
