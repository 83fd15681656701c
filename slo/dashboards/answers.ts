/** Prometheus's answers to each panel's queries as plain JSON, to be drawn at once or later. */
import * as z from 'zod';
import { formatDurationMs } from '../../base/duration.js';
import { parseJson } from '../../base/json-text.js';
import type { PrometheusClient, SampleSeries } from '../budget/prometheus.js';
import { type Dashboard, fillVariables } from './model.js';

export interface PanelAnswer {
  /** The series of each query. */
  queries: SampleSeries[][];
}

export interface Answers {
  startMs: number;
  endMs: number;
  /** Answers by dashboard and panel title. */
  panels: Record<string, PanelAnswer>;
}

const point = z.tuple([
  z.number(),
  z
    .number()
    .nullable()
    .transform((value) => value ?? NaN),
]);
const series = z.object({ labels: z.record(z.string(), z.string()), points: z.array(point) });
const schema: z.ZodType<Answers> = z.object({
  startMs: z.number(),
  endMs: z.number(),
  panels: z.record(z.string(), z.object({ queries: z.array(z.array(series)) })),
});

/** The answers in the text of `file`, or undefined if it holds something else. Throws a UserError if it is not JSON. */
export function readAnswers(file: string, text: string): Answers | undefined {
  const found = schema.safeParse(parseJson(file, text, 'a file of --save'));
  return found.success ? found.data : undefined;
}

export const panelKey = (dashboard: Dashboard, title: string): string =>
  `${dashboard.uid}/${title}`;

export interface AnswerOptions {
  startMs: number;
  endMs: number;
  /** Range for rate(), in milliseconds; at least two scrapes. */
  rateIntervalMs: number;
}

/** Number of points across a plot. */
const points = 240;

export async function askPanels(
  dashboards: readonly Dashboard[],
  prometheus: PrometheusClient,
  { startMs, endMs, rateIntervalMs }: AnswerOptions,
): Promise<Answers> {
  const panels: Answers['panels'] = {};
  const interval = formatDurationMs(rateIntervalMs);
  for (const dashboard of dashboards) {
    for (const panel of dashboard.panels) {
      const queries: SampleSeries[][] = [];
      for (const { expr } of panel.queries) {
        const query = fillVariables(expr, interval);
        if (panel.kind === 'timeseries') {
          const stepMs = Math.max(1, Math.ceil((endMs - startMs) / points));
          queries.push(await prometheus.range(query, startMs, endMs, stepMs));
        } else {
          const samples = await prometheus.query(query, endMs);
          queries.push(samples.map((s) => ({ labels: s.labels, points: [[endMs, s.value]] })));
        }
      }
      panels[panelKey(dashboard, panel.title)] = { queries };
    }
  }
  return { startMs, endMs, panels };
}

/** Titles of panels with a query that returned nothing (or only NaN), except panels that may be empty. */
export function emptyPanels(dashboards: readonly Dashboard[], answers: Answers): string[] {
  return dashboards.flatMap((dashboard) =>
    dashboard.panels
      .filter((panel) => !panel.mayBeEmpty)
      .filter((panel) => {
        const answer = answers.panels[panelKey(dashboard, panel.title)];
        return (answer?.queries ?? [[]]).some(
          (series) => !series.some((s) => s.points.some(([, value]) => !Number.isNaN(value))),
        );
      })
      .map((panel) => panelKey(dashboard, panel.title)),
  );
}
