/** Widely used alert policies as data: windows, factors and `for` as their authors publish them. */
import { readSloText, type Slo } from '../../../slo/index.js';
import type { AlertWindow } from '../../../slo/rules/windows.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Fires where the error ratios of both windows exceed a bound for `forMs`. */
export interface Arm {
  severity: 'page' | 'ticket';
  longMs: number;
  shortMs: number;
  forMs: number;
  /**
   * Multiple of the budget that the error ratio must exceed. With `spent` instead: the share of the period's budget
   * that a burn over the long window may spend, so that the bound depends on that window's share of the period's
   * traffic.
   */
  factor?: number;
  spent?: number;
}

export interface Policy {
  id: string;
  name: string;
  /** Publication of the figures. */
  source: string;
  /** Arms over rates of raw counters, or an SLO that our rules are compiled from. */
  made: { of: 'arms'; arms: readonly Arm[] } | { of: 'slo'; slo: (objective: number) => Slo };
}

export const periodMs = 30 * dayMs;

const arm = (
  severity: Arm['severity'],
  longMs: number,
  shortMs: number,
  factor: number,
  forMs = 0,
): Arm => ({ severity, longMs, shortMs, factor, forMs });

const workbook: Arm[] = [
  arm('page', hourMs, 5 * minuteMs, 14.4),
  arm('page', 6 * hourMs, 30 * minuteMs, 6),
  arm('ticket', 3 * dayMs, 6 * hourMs, 1),
];

const sloth: Arm[] = [
  ...workbook.slice(0, 2),
  arm('ticket', dayMs, 2 * hourMs, 3),
  ...workbook.slice(2),
];

const mixin: Arm[] = [
  arm('page', hourMs, 5 * minuteMs, 14.4, 2 * minuteMs),
  arm('page', 6 * hourMs, 30 * minuteMs, 6, 15 * minuteMs),
  arm('ticket', dayMs, 2 * hourMs, 3, hourMs),
  arm('ticket', 3 * dayMs, 6 * hourMs, 1, 3 * hourMs),
];

/** Pyrra scales its windows for 28 days to the SLO's period, rounded to minutes. */
const ofPeriod = (share: number): number =>
  Math.round((periodMs * share) / (28 * dayMs) / minuteMs) * minuteMs;

const pyrra: Arm[] = [
  arm('page', ofPeriod(hourMs), ofPeriod(5 * minuteMs), 14, ofPeriod(2 * minuteMs)),
  arm('page', ofPeriod(6 * hourMs), ofPeriod(30 * minuteMs), 7, ofPeriod(15 * minuteMs)),
  arm('ticket', ofPeriod(dayMs), ofPeriod(2 * hourMs), 2, ofPeriod(hourMs)),
  arm('ticket', ofPeriod(4 * dayMs), ofPeriod(6 * hourMs), 1, ofPeriod(3 * hourMs)),
];

/** Shares of the budget that replace Pyrra's factors in its dynamic alerts. */
const dynamicShares = [1 / 48, 1 / 16, 1 / 14, 1 / 7];

const dynamic: Arm[] = pyrra.map((a, i) => {
  const { factor: _, ...rest } = a;
  return { ...rest, spent: dynamicShares[i] as number };
});

/** An SLO over `bad_total` and `all_total` with the given `alerting` section. */
export function ownSlo(objective: number, alerting: string): Slo {
  const text = `apiVersion: firedrill.dev/v1
service: story
owner: team
slos:
  - name: told
    objective: ${objective}
    sli: { events: { bad: bad_total, total: all_total } }
    alerting: ${alerting}
`;
  return readSloText('policy.yaml', text)[0] as Slo;
}

export type TunedPage = Pick<AlertWindow, 'longMs' | 'shortMs' | 'factor'>;

/** Our policy with `falsePagesPerYear` and other page windows; its tickets are those of the table for 30 days. */
export function tunedSlo(objective: number, pages: readonly TunedPage[]): Slo {
  const slo = ownSlo(objective, '{ falsePagesPerYear: 1 }');
  const tickets = sloth.filter((a) => a.severity === 'ticket');
  const windows = [
    ...pages.map((p) => ({ severity: 'page' as const, ...p })),
    ...tickets.map((t) => ({
      severity: 'ticket' as const,
      longMs: t.longMs,
      shortMs: t.shortMs,
      factor: t.factor as number,
    })),
  ];
  return { ...slo, alerting: { ...slo.alerting, windows } };
}

const peers: Policy[] = [
  {
    id: 'workbook',
    name: "Google's Workbook",
    source: 'The Site Reliability Workbook, chapter 5, table 5-8',
    made: { of: 'arms', arms: workbook },
  },
  {
    id: 'sloth',
    name: 'Sloth',
    source: 'slok/sloth, default windows of 30 days',
    made: { of: 'arms', arms: sloth },
  },
  {
    id: 'pyrra',
    name: 'Pyrra',
    source: 'pyrra-dev/pyrra, slo/rules.go, Windows',
    made: { of: 'arms', arms: pyrra },
  },
  {
    id: 'kube-prometheus',
    name: 'kube-prometheus',
    source: 'kubernetes-mixin, KubeAPIErrorBudgetBurn',
    made: { of: 'arms', arms: mixin },
  },
  {
    id: 'dynamic',
    name: 'dynamic burn rates',
    source: 'pyrra-dev/pyrra, pull request 1602',
    made: { of: 'arms', arms: dynamic },
  },
  {
    id: 'ours-plain',
    name: 'ours without a stated rate',
    source: 'slo/rules/windows/30d.yaml and pageAbove 3',
    made: { of: 'slo', slo: (objective) => ownSlo(objective, '{}') },
  },
  {
    id: 'ours',
    name: 'ours, as `slo init` writes it',
    source: 'the same with falsePagesPerYear: 1',
    made: { of: 'slo', slo: (objective) => ownSlo(objective, '{ falsePagesPerYear: 1 }') },
  },
];

/** All compared policies; `tuned` are the page windows that tuning on other stories chose. */
export const policies = (tuned: readonly TunedPage[]): Policy[] => [
  ...peers,
  {
    id: 'ours-tuned',
    name: 'ours, tuned',
    source: 'the same, its page windows tuned on other stories',
    made: { of: 'slo', slo: (objective) => tunedSlo(objective, tuned) },
  },
];
