/** Chooses the time scale for a drill on this machine: as short as the rules' ranges allow, with the reason. */
import { formatDurationMs } from '../../base/duration.js';
import { counted } from '../../base/terminal.js';
import { parse, walk } from '../../slo/promql/index.js';
import type { ReadGroup, ReadRule } from '../rules/read.js';
import { scrapesInRange } from './expression.js';
import { secondsOf } from './ranges.js';

export interface Machine {
  cpus: number;
  /** Number of scraped targets. */
  targets: number;
}

export interface ChosenScale {
  /** Above 0, at most 1, such as 1/240. */
  scale: number;
  /** The machine's scrape interval at that scale, in milliseconds. */
  scrapeIntervalMs: number;
  /** The reason, in one sentence. */
  why: string;
}

/** With shorter intervals, scraping a dozen processes costs more than it shows. */
const scrapeFloorMs = 250;
const targetsPerCpu = 8;

/** The scales are one divided by these numbers. */
const divisors = [240, 180, 120, 90, 60, 45, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];

/** `scrapeIntervalMs` is the scrape interval in production, which the rules were written for. */
export function chooseScale(
  groups: readonly ReadGroup[],
  scrapeIntervalMs: number,
  machine: Machine,
): ChosenScale {
  const crowd = Math.ceil(machine.targets / (targetsPerCpu * Math.max(1, machine.cpus)));
  const floorMs = scrapeFloorMs * Math.max(1, crowd);
  const shortest = shortestRange(groups);
  const neededMs = scrapesInRange * floorMs;
  const fits = (divisor: number): boolean =>
    shortest === undefined || shortest.ms / divisor >= neededMs;
  const divisor = divisors.find(fits) ?? 1;
  const scale = 1 / divisor;
  const scrapeMs = Math.round(
    Math.max(floorMs, Math.min(scrapeIntervalMs, scrapeIntervalMs * scale)),
  );
  return { scale, scrapeIntervalMs: scrapeMs, why: whyOf(divisor, shortest, floorMs, machine) };
}

function whyOf(
  divisor: number,
  shortest: { ms: number; rule: ReadRule } | undefined,
  floorMs: number,
  { targets, cpus }: Machine,
): string {
  const scale = divisor === 1 ? '1' : `1/${divisor}`;
  if (!shortest) return `${scale}: no rule has a range`;
  const { file, line } = shortest.rule.place;
  const range = `the shortest range is [${formatDurationMs(shortest.ms)}]`;
  const whose = `(${nameOf(shortest.rule)}, ${file}:${line})`;
  const holds = `has to hold ${scrapesInRange} scrapes, one each ${floorMs} ms`;
  return `${scale}: ${range} ${whose} and ${holds} (${counted(targets, 'target')} on ${counted(cpus, 'core')})`;
}

const nameOf = ({ rule }: ReadRule): string => (rule.kind === 'alert' ? rule.alert : rule.record);

function shortestRange(groups: readonly ReadGroup[]): { ms: number; rule: ReadRule } | undefined {
  let shortest: { ms: number; rule: ReadRule } | undefined;
  for (const rule of groups.flatMap((g) => g.rules)) {
    walk(parse(rule.rule.expr), (node) => {
      if (node.kind !== 'matrix') return;
      const ms = (secondsOf(node.range) ?? Infinity) * 1000;
      if (ms < (shortest?.ms ?? Infinity)) shortest = { ms, rule };
    });
  }
  return shortest;
}
