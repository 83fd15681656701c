/** Reduces a history to the columns of a plot; each column keeps its worst value, so that no incident disappears. */
import type { History } from './evaluate.js';
import type { StepEvents } from './events.js';

export interface Plot {
  /** Events a second, the mean of each column. */
  traffic: number[];
  /** Highest burn rate (error ratio divided by the budget) of one step in each column; null where it is not known. */
  burn: (number | null)[];
  /** Highest burn rate over the shortest and over the longest window that pages. */
  short: (number | null)[];
  long: (number | null)[];
  /** Those two windows, and the factor above which they page. */
  windows: { shortMs: number; longMs: number; factor: number } | undefined;
}

export function plotOf(history: History, events: StepEvents, columns: number): Plot {
  const n = events.total.length;
  const count = Math.min(columns, n);
  const { budget, windows } = history.plan;
  const page = windows.find((w) => w.severity === 'page') ?? windows[0];
  const short = page && history.ratio(page.shortMs, 'page');
  const long = page && history.ratio(page.longMs, 'page');
  const plot: Plot = {
    traffic: [],
    burn: [],
    short: [],
    long: [],
    windows: page && { shortMs: page.shortMs, longMs: page.longMs, factor: page.factor },
  };
  for (let c = 0; c < count; c++) {
    const from = Math.floor((c * n) / count);
    const to = Math.max(from + 1, Math.floor(((c + 1) * n) / count));
    let total = 0;
    let worst: number | null = null;
    for (let i = from; i < to; i++) {
      const all = events.total[i] as number;
      if (Number.isNaN(all)) continue;
      total += all;
      const burn = all === 0 ? 0 : (events.bad[i] as number) / all / budget;
      if (worst === null || burn > worst) worst = burn;
    }
    plot.traffic.push(rounded(total / (((to - from) * events.stepMs) / 1000)));
    plot.burn.push(worst === null ? null : rounded(worst));
    plot.short.push(highest(short, from, to, budget));
    plot.long.push(highest(long, from, to, budget));
  }
  return plot;
}

function highest(
  ratios: Float64Array | undefined,
  from: number,
  to: number,
  budget: number,
): number | null {
  let worst = -1;
  for (let i = from; i < to; i++) {
    const ratio = ratios?.[i] ?? NaN;
    if (ratio > worst) worst = ratio;
  }
  return worst < 0 ? null : rounded(worst / budget);
}

const rounded = (value: number): number => Number(value.toPrecision(4));
