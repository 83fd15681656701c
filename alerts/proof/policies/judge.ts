/** What a policy is worth on one story: found or not, how long it took, and how often it paged for nothing. */
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
  /** From the incident's beginning until the page; of a slow burn until the page or the ticket. Absent: never. */
  detectMs?: number;
  /** From the incident's end until that alert was over; 0 where it was before. */
  resetMs?: number;
  /** Share of the period's budget that the incident had spent by then. */
  spent?: number;
  /** Pages that belong to no incident that asks for one, over the judged time. */
  falsePages: number;
}

export interface StoryResult {
  told: ToldStory;
  /** Until any rule of one false page a year could tell; absent where no event goes bad. */
  waldMs?: number;
  verdicts: Verdict[];
}

/** Pages may come again until the longest page window holds nothing of the incident. */
const aftermathMs = 7 * 3_600_000;
const yearMs = 365 * 86_400_000;

export interface JudgeOptions {
  stepMs: number;
  /** Ranges as in Prometheus before version 3. */
  bothEnds?: boolean;
}

/** Each of `count` stories under each policy, one story after another. */
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

/** Bad events from the incident's beginning to a moment, over what the budget allows in a period of this traffic. */
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
 * The mean time that any rule needs which pages for nothing once a year (Wald 1945; Lorden 1971, for a change at an
 * unknown moment): when the Kullback-Leibler information of what has happened reaches the logarithm of the events
 * between two false pages. The rule would know the traffic, the usual share of bad events and the incident's shape.
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

/** Of one event that is bad with a chance of `p`, where `q` is usual; in nats. */
export function divergence(p: number, q: number): number {
  const term = (a: number, b: number): number => (a === 0 ? 0 : a * Math.log(a / b));
  return term(p, q) + term(1 - p, 1 - q);
}

export const judgedYears = (count: number): number => (count * judgedMs) / yearMs;

/** What a scraper reads of the story. */
export function countersOf(told: ToldStory, stepMs: number): Counters {
  return synthesize(told.story, budgetRatio(told.objective), 'story', stepMs);
}
