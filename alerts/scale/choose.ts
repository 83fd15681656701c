/** The time scale at which rules can be drilled on a machine: as short as their ranges allow, and why that. */
import { formatDurationMs } from '../../base/duration.js';
import { parse, walk } from '../../slo/promql/index.js';
import type { ReadGroup, ReadRule } from '../rules/read.js';
import { scrapesInRange } from './expression.js';
import { secondsOf } from './ranges.js';

export interface Machine {
  cpus: number;
  /** How many targets are scraped. */
  targets: number;
}

export interface ChosenScale {
  /** Above 0, at most 1: 1/240. */
  scale: number;
  /** What the machine scrapes at it, milliseconds. */
  scrapeIntervalMs: number;
  /** One sentence. */
  why: string;
}

/** Faster than that, a scrape of a dozen processes costs more than it tells. */
const scrapeFloorMs = 250;
const targetsPerCpu = 8;

/** One over these. */
const divisors = [240, 180, 120, 90, 60, 45, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];

/** `scrapeIntervalMs` is the one that the rules were written for, in production. */
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
  return `${scale}: ${range} ${whose} and ${holds} (${targets} targets on ${cpus} cores)`;
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
