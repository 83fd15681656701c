/** What one alert of the library is before it becomes a rule: its times are nominal, its texts have no links yet. */
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';
import type { LibraryAlert } from './names.js';

/** The times of an expression at a time scale. */
export interface Times {
  /** The range of a selector, such as `5m`: scaled, and no shorter than four scrapes where their interval is known. */
  range(nominal: string): string;
  /** A span in seconds to compare with, such as `7d`: scaled. */
  seconds(nominal: string): number;
  /** How the parts of the mesh are called: a matcher of `job`. */
  controller: string;
  proxy: string;
}

export interface LibraryEntry {
  name: LibraryAlert;
  expr: (t: Times) => string;
  for: string;
  keepFiringFor?: string;
  /** Why these times. */
  timing: string;
  /** Whom it is about: a service by its label `dst`, or the mesh itself. */
  about: 'dst' | 'mesh';
  summary: string;
  description: string;
  dashboard: 'firedrill-oncall' | 'firedrill-debug' | 'firedrill-executive';
}

/** Scrapes within a range below which a rate rests on too few points to be believed. */
export const scrapesPerRange = 4;

export function timesOf(
  scale: number,
  scrapeIntervalMs: number,
  jobs: { controller: string; proxy: string },
): Times {
  const scaledMs = (nominal: string): number =>
    Math.max(1, Math.round((parseDurationMs(nominal) as number) * scale));
  return {
    range: (nominal) =>
      formatDurationMs(Math.max(scaledMs(nominal), scrapesPerRange * scrapeIntervalMs)),
    seconds: (nominal) => Number((scaledMs(nominal) / 1000).toPrecision(6)),
    controller: `job="${jobs.controller}"`,
    proxy: `job="${jobs.proxy}"`,
  };
}

/** `sum by (dst) (rate(...))`, the shape of most. */
export const sumRate = (by: string, selector: string, range: string): string =>
  `sum${by === '' ? '' : ` by (${by})`} (rate(${selector}[${range}]))`;
