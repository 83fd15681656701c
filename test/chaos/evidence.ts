/** The evidence of a run without any problem; tests change one part of it. */
import type { AlertingRule } from '../../slo/rules/model.js';
import type { Notification } from '../../alerts/watch/index.js';
import { firingsOf } from '../../chaos/runner/firings.js';
import type { Evidence } from '../../chaos/runner/judge.js';
import { readScenarioText } from '../../chaos/scenarios/read.js';
import type { FaultRecord, MeasureRecord } from '../../runbooks/record.js';

export const { scenario } = readScenarioText(
  's.yaml',
  `apiVersion: firedrill.dev/v1
kind: Scenario
id: slow-cart
title: Slow cart
description: Cart is slow.
blastRadius: carts
runbook: slow-cart
baseline: 5m
hypothesis: { title: well, measures: [{ name: errors, client: errorRatio, atMost: 0.01 }] }
faults: [{ id: slow, kind: delay, target: cart, settings: { delayMs: 100 } }]
fault: { atMost: 10m }
recovery: 10m
expect:
  mustFire:
    - { alert: CartLatency, labels: { slo: cart-latency }, within: 10m, resolveWithin: 20m }
  mayFire:
    - { alert: CartLatency, labels: { severity: ticket }, why: the same }
    - { alert: Hiccup, why: a slow machine, onlyWhenScaled: true }
  mustNotFire: [{ alert: Never }]
abort: [{ name: down, client: errorRatio, above: 0.5 }]
`,
);

export const injectedMs = 100_000;
export const confirmedMs = 101_000;
export const rollbackEndMs = 120_000;

const labels = (name: string, severity: string, more = {}): Record<string, string> => ({
  alertname: name,
  severity,
  ...more,
});

export const fires = (
  name: string,
  severity: string,
  startsAtMs: number,
  options: { receivedMs?: number; endsAtMs?: number; labels?: Record<string, string> } = {},
): Notification[] => {
  const all = labels(name, severity, options.labels);
  const receivedMs = options.receivedMs ?? startsAtMs + 300;
  const base = { labels: all, annotations: {}, startsAtMs };
  const fired: Notification = { ...base, receivedMs, status: 'firing' };
  if (options.endsAtMs === undefined) return [fired];
  const { endsAtMs } = options;
  return [fired, { ...base, receivedMs: endsAtMs + 300, status: 'resolved', endsAtMs }];
};

export const slo = { slo: 'cart-latency' };
export const page = (startsAtMs: number, endsAtMs?: number, receivedMs?: number): Notification[] =>
  fires('CartLatency', 'page', startsAtMs, {
    labels: slo,
    ...(endsAtMs !== undefined && { endsAtMs }),
    ...(receivedMs !== undefined && { receivedMs }),
  });

export const measured = (held: boolean): MeasureRecord => ({
  name: 'errors',
  source: 'client',
  expr: 'errorRatio',
  bound: '<= 0.01',
  unit: '',
  value: held ? 0 : 0.2,
  held,
});

export const fault: FaultRecord = {
  id: 'slow',
  kind: 'delay',
  target: 'cart',
  description: '',
  requestedMs: injectedMs,
  confirmedMs,
  endedMs: rollbackEndMs,
  effect: 12,
  effectUnit: 'requests struck',
  undo: 'done',
};

export const rule = (alert: string, severity: string, more = {}): AlertingRule => ({
  kind: 'alert',
  alert,
  expr: 'up == 0',
  forMs: 500,
  keepFiringForMs: 0,
  labels: { severity, ...more },
  annotations: {},
});
export const rules = [
  rule('CartLatency', 'page', { slo: 'cart-latency' }),
  rule('CartLatency', 'ticket', { slo: 'cart-latency' }),
];

export const good = (notifications: Notification[] = page(103_000, 125_000)): Evidence => ({
  scenario,
  scale: 1 / 100,
  allowanceMs: 1000,
  injectedMs,
  confirmedMs,
  rollbackEndMs,
  armStretches: [],
  firings: firingsOf(notifications),
  rules,
  sightings: [],
  gaps: [],
  moments: [],
  trouble: undefined,
  notSteady: [],
  faults: [fault],
  before: [measured(true)],
  during: [],
  notBack: [],
  after: [measured(true)],
  checks: [],
  arms: [],
  theories: [],
  load: { requests: 100, due: 100, failure: undefined },
  abort: undefined,
  interrupted: false,
  lateness: { p50Ms: 0, p95Ms: 3, maxMs: 20 },
  scrapeIntervalMs: 250,
  residue: [],
  silences: [],
  dead: [],
});
