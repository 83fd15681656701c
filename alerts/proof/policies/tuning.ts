/** Finds the page windows that detect incidents fastest on stories of another seed, within the allowed false pages. */
import { planOf } from '../../../slo/index.js';
import { History } from '../backtest/evaluate.js';
import { stepsOf } from '../backtest/events.js';
import { countersOf, judgedYears, verdictOf } from './judge.js';
import { type TunedPage, tunedSlo } from './policies.js';
import { stories, type ToldStory } from './stories.js';

const minuteMs = 60_000;
const statedPerYear = 1;

const pageOf = (longMinutes: number, factor: number): TunedPage => ({
  longMs: longMinutes * minuteMs,
  shortMs: (longMinutes * minuteMs) / 12,
  factor,
});

/** Each fast window alone, and with a slower window beside it. */
export function candidates(): TunedPage[][] {
  const fast = [12, 30, 60].flatMap((long) => [2, 3, 6, 10].map((factor) => pageOf(long, factor)));
  const slow = [undefined, pageOf(180, 3), pageOf(360, 2), pageOf(360, 4)];
  return fast.flatMap((f) => slow.map((s) => (s === undefined ? [f] : [f, s])));
}

interface Tally {
  pages: TunedPage[];
  found: number;
  /** Sum of logarithms, so that an incident detected in hours does not outweigh those detected in minutes. */
  logMs: number;
  falsePages: number;
}

/** Deterministic by seed. */
export function tunedPages(count: number, seed: number, stepMs: number): TunedPage[] {
  const tallies = candidates().map((pages): Tally => ({
    pages,
    found: 0,
    logMs: 0,
    falsePages: 0,
  }));
  for (const told of stories(count, seed)) {
    const counters = countersOf(told, stepMs);
    const events = stepsOf(counters);
    for (const tally of tallies) {
      const verdict = verdictOf('', told, counters, {
        page: pagesOf(tally.pages, told, events),
        ticket: [],
      });
      tally.falsePages += verdict.falsePages;
      if (verdict.detectMs === undefined || told.incident.expect !== 'page') continue;
      tally.found++;
      tally.logMs += Math.log(Math.max(stepMs, verdict.detectMs));
    }
  }
  const allowed = Math.max(1, statedPerYear * judgedYears(count));
  const quiet = tallies.filter((t) => t.falsePages <= allowed);
  const pool = quiet.length > 0 ? quiet : tallies;
  const best = pool.reduce((a, b) =>
    b.found > a.found || (b.found === a.found && b.logMs < a.logMs) ? b : a,
  );
  return best.pages;
}

function pagesOf(pages: readonly TunedPage[], told: ToldStory, events: ReturnType<typeof stepsOf>) {
  const plan = planOf(tunedSlo(told.objective, pages), { stepMs: events.stepMs });
  const history = new History(plan, events);
  const windows = plan.windows.filter((w) => w.severity === 'page');
  return history.intervals(history.anyHolds(windows, 'page'), 'page', 0, 0);
}
