/** An alert of the library before it becomes a rule: its times are not scaled and its texts have no links yet. */
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';
import type { LibraryAlert } from './names.js';

/** Scales the times in an expression. */
export interface Times {
  /** The range of a selector such as `5m`, scaled, and at least four scrape intervals where the interval is known. */
  range(nominal: string): string;
  /** Seconds of a time that an expression compares with, such as `7d`, scaled. */
  seconds(nominal: string): number;
  /** The values of the label `job` for the parts of the mesh. */
  controller: string;
  proxy: string;
}

export interface LibraryEntry {
  name: LibraryAlert;
  expr: (t: Times) => string;
  for: string;
  keepFiringFor?: string;
  /** The reason for these times. */
  timing: string;
  /** The subject of the alert: a service, named by the label `dst`, or the mesh itself. */
  about: 'dst' | 'mesh';
  summary: string;
  description: string;
  dashboard: 'firedrill-oncall' | 'firedrill-debug' | 'firedrill-executive';
}

/** A rate over fewer scrapes than this rests on too few points. */
const scrapesPerRange = 4;

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

/** `sum by (dst) (rate(...))`, the form of most expressions here. */
export const sumRate = (by: string, selector: string, range: string): string =>
  `sum${by === '' ? '' : ` by (${by})`} (rate(${selector}[${range}]))`;

/** A proxy in a summary: by its workload where the target has that label, with the address beside it. */
export const proxy =
  'proxy {{ with $labels.workload }}of {{ . }} ({{ $labels.instance }})' +
  '{{ else }}at {{ $labels.instance }}{{ end }}';
