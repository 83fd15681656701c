/** A Prometheus's answers to the queries of pages: shown in a page, or reported if a query returns nothing. */
import { messageOf } from '../base/errors.js';
import { PrometheusClient, PrometheusGone } from '../slo/budget/prometheus.js';
import type { RunbookFacts } from './facts.js';
import type { Page } from './pages.js';
import { queriesOf, renderPage } from './render.js';

export type Answers = NonNullable<RunbookFacts['answers']>;

export interface Asked {
  answers: Answers;
  /** By query: Prometheus's reason for its refusal. */
  errors: Map<string, string>;
}

/** After this many queries without an answer in time, the server is slow and not the query. */
const slowMax = 3;

/**
 * Throws a UserError if Prometheus cannot be reached; a query that Prometheus refuses, or that takes too long, is
 * recorded.
 */
export async function askQueries(
  queries: readonly string[],
  prometheus: PrometheusClient,
  timeMs: number,
): Promise<Asked> {
  await prometheus.query('vector(1)', timeMs);
  const answers: Answers = {};
  const errors = new Map<string, string>();
  let slow = 0;
  for (const query of new Set(queries)) {
    try {
      answers[query] = await prometheus.query(query, timeMs);
    } catch (error) {
      if (error instanceof PrometheusGone && (!error.tooSlow || ++slow === slowMax)) throw error;
      errors.set(query, messageOf(error));
    }
  }
  return { answers, errors };
}

/** Production time before the alert at which queries are asked again: earlier than most faults of a page. */
const earlierMs = 600_000;

/** The page with its facts and the present answers to its queries, beside those from before the alert. */
export async function answeredPage(
  page: Page,
  facts: RunbookFacts,
  prometheus: PrometheusClient,
  timeMs: number,
): Promise<string> {
  const given = { ...facts, prometheus: prometheus.url };
  const queries = queriesOf(renderPage(page, given));
  const { answers } = await askQueries(queries, prometheus, timeMs);
  const [part = 1, whole = 1] = (facts.labels?.time_scale ?? '')
    .split('/')
    .map((n) => Number(n) || 1);
  const beforeMs = Date.parse(facts.startedAt ?? '') - (earlierMs * part) / whole;
  const before = Number.isNaN(beforeMs)
    ? undefined
    : (await askQueries(queries, prometheus, beforeMs)).answers;
  return renderPage(page, {
    ...given,
    answers: { ...answers, ...facts.answers },
    ...(before && { answersBefore: before }),
  });
}

export interface QueryFinding {
  page: string;
  query: string;
  /** Absent: the query returned nothing, which may be the good case. */
  error?: string;
}

/** Queries of all pages without facts that Prometheus refuses or that return nothing. */
export async function lintQueries(
  pages: ReadonlyMap<string, Page>,
  url: string,
  timeMs: number,
): Promise<QueryFinding[]> {
  const byPage = [...pages.values()].map((p) => ({
    page: p.name,
    queries: queriesOf(renderPage(p)),
  }));
  const { answers, errors } = await askQueries(
    byPage.flatMap((p) => p.queries),
    new PrometheusClient(url),
    timeMs,
  );
  return byPage.flatMap(({ page, queries }) =>
    queries.flatMap((query): QueryFinding[] => {
      const error = errors.get(query);
      if (error !== undefined) return [{ page, query, error }];
      return answers[query]?.length === 0 ? [{ page, query }] : [];
    }),
  );
}
