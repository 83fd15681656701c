/** Compares policies over all stories, by kind of incident and by traffic. */
import { roughly } from '../../../slo/rules/explain.js';
import { judgedYears, type StoryResult, type Verdict } from './judge.js';
import type { Policy } from './policies.js';
import { classText, type StoryKind, trafficClasses } from './stories.js';

export interface PolicyRow {
  policy: string;
  name: string;
  /** Incidents that deserve a page, and those among them that got one. */
  asked: number;
  found: number;
  /** Detection time of the incidents that were found, in milliseconds. */
  detectMedianMs?: number;
  detectP90Ms?: number;
  /** Median of the detection time minus Wald's bound, in milliseconds. */
  overBoundMs?: number;
  falsePagesPerYear: number;
  /** Median share of the period's budget that was spent at the page. */
  spentMedian?: number;
  resetMedianMs?: number;
  /** Slow burns, and those among them that got a page or a ticket. */
  slowAsked: number;
  slowFound: number;
}

export interface Comparison {
  seed: number;
  stories: number;
  years: number;
  /** Median of Wald's bound over the stories that deserve a page. */
  waldMedianMs?: number;
  rows: PolicyRow[];
  /** Median detection time of each policy, by kind of incident and by traffic; Wald's bound comes first. */
  byKind: Group[];
  byTraffic: Group[];
}

export interface Group {
  name: string;
  asked: number;
  waldMs?: number;
  cells: { policy: string; found: number; detectMs?: number; falsePagesPerYear: number }[];
}

/** The lower of two middle values, so that the result is a measured one; undefined for an empty list. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function comparisonOf(
  policies: readonly Policy[],
  results: readonly StoryResult[],
  seed: number,
): Comparison {
  const kinds: StoryKind[] = ['outage', 'brown-out', 'flapping', 'slow-burn'];
  const pages = results.filter((r) => r.told.incident.expect === 'page');
  const wald = quantile(defined(pages.map((r) => r.waldMs)), 0.5);
  return {
    seed,
    stories: results.length,
    years: judgedYears(results.length),
    ...(wald === undefined ? {} : { waldMedianMs: wald }),
    rows: policies.map((p) => rowOf(p, results)),
    byKind: kinds.map((kind) =>
      groupOf(
        kind,
        policies,
        results.filter((r) => r.told.incident.kind === kind),
      ),
    ),
    byTraffic: trafficClasses.map((of) =>
      groupOf(
        classText(of),
        policies,
        results.filter((r) => r.told.traffic === of),
      ),
    ),
  };
}

const verdictBy = (result: StoryResult, policy: string): Verdict =>
  result.verdicts.find((v) => v.policy === policy) as Verdict;

const defined = (values: readonly (number | undefined)[]): number[] =>
  values.filter((v) => v !== undefined);

function rowOf(policy: Policy, results: readonly StoryResult[]): PolicyRow {
  const pages = results.filter((r) => r.told.incident.expect === 'page');
  const verdicts = pages.map((r) => verdictBy(r, policy.id));
  const slow = results
    .filter((r) => r.told.incident.expect === 'ticket')
    .map((r) => verdictBy(r, policy.id));
  const detect = defined(verdicts.map((v) => v.detectMs));
  const over = pages.map((r, i) => {
    const { detectMs } = verdicts[i] as Verdict;
    return detectMs === undefined || r.waldMs === undefined ? undefined : detectMs - r.waldMs;
  });
  const falsePages = results.reduce((sum, r) => sum + verdictBy(r, policy.id).falsePages, 0);
  const some = <K extends string>(key: K, value: number | undefined) =>
    (value === undefined ? {} : { [key]: value }) as Partial<Record<K, number>>;
  return {
    policy: policy.id,
    name: policy.name,
    asked: pages.length,
    found: detect.length,
    ...some('detectMedianMs', quantile(detect, 0.5)),
    ...some('detectP90Ms', quantile(detect, 0.9)),
    ...some('overBoundMs', quantile(defined(over), 0.5)),
    falsePagesPerYear: falsePages / judgedYears(results.length),
    ...some('spentMedian', quantile(defined(verdicts.map((v) => v.spent)), 0.5)),
    ...some('resetMedianMs', quantile(defined(verdicts.map((v) => v.resetMs)), 0.5)),
    slowAsked: slow.length,
    slowFound: slow.filter((v) => v.detectMs !== undefined).length,
  };
}

function groupOf(
  name: string,
  policies: readonly Policy[],
  results: readonly StoryResult[],
): Group {
  const kindOfTicket = results.every((r) => r.told.incident.expect === 'ticket');
  const asked = results.filter(
    (r) =>
      r.told.incident.expect === 'page' || (kindOfTicket && r.told.incident.expect === 'ticket'),
  );
  const waldMs = quantile(defined(asked.map((r) => r.waldMs)), 0.5);
  return {
    name,
    asked: asked.length,
    ...(waldMs === undefined ? {} : { waldMs }),
    cells: policies.map(({ id }) => {
      const detect = defined(asked.map((r) => verdictBy(r, id).detectMs));
      const detectMs = quantile(detect, 0.5);
      const wrong = results.reduce((sum, r) => sum + verdictBy(r, id).falsePages, 0);
      return {
        policy: id,
        found: detect.length,
        falsePagesPerYear: wrong / judgedYears(results.length),
        ...(detectMs === undefined ? {} : { detectMs }),
      };
    }),
  };
}

/** A page may come before the bound by chance. */
const timeText = (ms: number | undefined): string =>
  ms === undefined ? '-' : ms < 0 ? `-${roughly(-ms)}` : roughly(ms);
/** Without stories there is no rate. */
const rateText = (x: number): string =>
  Number.isNaN(x) ? '-' : x === 0 ? '0' : x >= 10 ? x.toFixed(0) : x.toFixed(1);
const percent = (share: number | undefined): string =>
  share === undefined ? '-' : `${(share * 100).toPrecision(2)}%`;

export interface TextTable {
  title: string;
  header: string[];
  rows: string[][];
}

/** The tables for people, in a terminal and in Markdown. */
export function tablesOf(of: Comparison): TextTable[] {
  const names = of.rows.map((r) => r.name);
  const groups = (title: string, all: Group[], withFalse: boolean): TextTable[] => [
    {
      title,
      header: ['', 'incidents', "Wald's bound", ...names],
      rows: all.map((g) => [
        g.name,
        String(g.asked),
        timeText(g.waldMs),
        ...g.cells.map((c) =>
          c.found === g.asked ? timeText(c.detectMs) : `${timeText(c.detectMs)} (${c.found})`,
        ),
      ]),
    },
    ...(withFalse
      ? [
          {
            title: 'Pages for nothing, a year, by traffic',
            header: ['', ...names],
            rows: all.map((g) => [g.name, ...g.cells.map((c) => rateText(c.falsePagesPerYear))]),
          },
        ]
      : []),
  ];
  return [
    {
      title: 'All stories',
      header: [
        'policy',
        'paged',
        'detection',
        'nine in ten within',
        "beyond Wald's bound",
        'false pages a year',
        'budget at the page',
        'reset',
        'slow burns told of',
      ],
      rows: of.rows.map((r) => [
        r.name,
        `${r.found} of ${r.asked}`,
        timeText(r.detectMedianMs),
        timeText(r.detectP90Ms),
        timeText(r.overBoundMs),
        rateText(r.falsePagesPerYear),
        percent(r.spentMedian),
        timeText(r.resetMedianMs),
        `${r.slowFound} of ${r.slowAsked}`,
      ]),
    },
    ...groups('Detection by kind of incident', of.byKind, false),
    ...groups('Detection by traffic', of.byTraffic, true),
  ];
}

export const markdownTable = ({ title, header, rows }: TextTable): string =>
  [
    `## ${title}`,
    '',
    ...[header, header.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map(
      (row) => `| ${row.join(' | ')} |`,
    ),
    '',
  ].join('\n');
