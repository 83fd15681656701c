/**
 * Judges a policy on one story: whether it found the incident, how long that took, and how often it paged for nothing.
 */
import { budgetRatio } from '../../../slo/index.js';
import type { Counters } from '../backtest/events.js';
import type { Interval } from '../backtest/firings.js';
import { graceMs } from '../backtest/score.js';
import { badShareAt, synthesize, trafficAt } from '../backtest/synthesize.js';
import { type Fired, play, Raw, union } from './play.js';
import { periodMs, type Policy } from './policies.js';
import { judgedMs, stories, type ToldStory, warmMs } from './stories.js';

export interface Verdict {
  policy: string;
  /**
   * From the incident's start until the page, or for a slow burn until the page or the ticket, in milliseconds; absent
   * if neither came.
   */
  detectMs?: number;
  /** From the incident's end until that alert resolved, in milliseconds; 0 if it resolved before. */
  resetMs?: number;
  /** Share of the period's budget that the incident had spent at detection. */
  spent?: number;
  /** Pages in the judged time that belong to no incident that deserves one. */
  falsePages: number;
}

export interface StoryResult {
  told: ToldStory;
  /** Lower bound of the detection time for any rule with one false page a year; absent if no event is bad. */
  waldMs?: number;
  verdicts: Verdict[];
}

/** Repeated pages belong to the incident until the longest page window has passed. */
const aftermathMs = 7 * 3_600_000;
const yearMs = 365 * 86_400_000;

export interface JudgeOptions {
  stepMs: number;
  /** Ranges include both their ends, as in Prometheus before version 3. */
  bothEnds?: boolean;
}

/** Judges every policy on each of `count` stories. */
export function* judged(
  policies: readonly Policy[],
  count: number,
  seed: number,
  options: JudgeOptions,
): Generator<StoryResult> {
  for (const told of stories(count, seed)) {
    const raw = new Raw(countersOf(told, options.stepMs), options.bothEnds);
    const verdicts = policies.map((policy) =>
      verdictOf(policy.id, told, raw.counters, play(policy, told.objective, raw)),
    );
    const waldMs = waldBound(told);
    yield { told, verdicts, ...(waldMs === undefined ? {} : { waldMs }) };
  }
}

export function verdictOf(
  policy: string,
  told: ToldStory,
  counters: Counters,
  fired: Fired,
): Verdict {
  const { incident, story } = told;
  const from = story.startMs + warmMs;
  const asked = incident.expect === 'page' || incident.expect === 'ticket';
  const concerns = (f: Interval): boolean =>
    (f.resolvedMs ?? Infinity) > incident.startMs && f.firedMs <= incident.endMs + aftermathMs;
  const falsePages = fired.page.filter((f) => f.firedMs >= from && !(asked && concerns(f))).length;
  const candidates =
    incident.expect === 'ticket' ? union([...fired.page, ...fired.ticket]) : fired.page;
  const grace = incident.expect === 'ticket' ? graceMs.ticket : graceMs.page;
  const found = asked
    ? candidates.find((f) => concerns(f) && f.firedMs <= incident.endMs + grace)
    : undefined;
  if (!found) return { policy, falsePages };
  const detectMs = Math.max(0, found.firedMs - incident.startMs);
  return {
    policy,
    falsePages,
    detectMs,
    resetMs: Math.max(0, (found.resolvedMs ?? story.startMs + story.durationMs) - incident.endMs),
    spent: spentBy(told, counters, incident.startMs + detectMs),
  };
}

/** Bad events from the incident's start to `untilMs`, as a share of the budget of a period with this traffic. */
function spentBy(
  { incident, story, objective }: ToldStory,
  counters: Counters,
  untilMs: number,
): number {
  const place = (ms: number): number =>
    Math.min(counters.bad.length - 1, Math.round((ms - counters.startMs) / counters.stepMs));
  const bad = (ms: number): number => counters.bad[place(ms)] as number;
  const events =
    (counters.total[counters.total.length - 1] as number) * (periodMs / story.durationMs);
  return (bad(untilMs) - bad(incident.startMs)) / (events * budgetRatio(objective));
}

/**
 * The mean detection time of the best possible rule that pages for nothing once a year (Wald 1945; Lorden 1971, for a
 * change at an unknown moment): the moment at which the Kullback-Leibler information reaches the logarithm of the
 * number of events between two false pages. Such a rule would know the traffic, the usual share of bad events and the
 * incident.
 */
export function waldBound({ story, objective, incident }: ToldStory): number | undefined {
  if (incident.share === undefined) return undefined;
  const budget = budgetRatio(objective);
  const usual = 'burn' in story.baseline ? story.baseline.burn * budget : story.baseline.share;
  const needed = Math.log((story.traffic.perSecond * yearMs) / 1000);
  let information = 0;
  const gridMs = 1000;
  for (let atMs = incident.startMs; atMs < incident.endMs; atMs += gridMs) {
    const share = badShareAt(incident, atMs, usual, budget);
    const perEvent = divergence(share, usual);
    const gained = (trafficAt(story.traffic, atMs) * gridMs * perEvent) / 1000;
    if (information + gained >= needed) {
      return atMs - incident.startMs + (gridMs * (needed - information)) / gained;
    }
    information += gained;
  }
  return undefined;
}

/** Kullback-Leibler information of one event that is bad with probability `p` instead of the usual `q`, in nats. */
export function divergence(p: number, q: number): number {
  const term = (a: number, b: number): number => (a === 0 ? 0 : a * Math.log(a / b));
  return term(p, q) + term(1 - p, 1 - q);
}

export const judgedYears = (count: number): number => (count * judgedMs) / yearMs;

/** The counters that a scraper reads during the story. */
export function countersOf(told: ToldStory, stepMs: number): Counters {
  return synthesize(told.story, budgetRatio(told.objective), 'story', stepMs);
}
