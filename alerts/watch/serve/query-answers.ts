/** Answers Prometheus's query API from a store. */
import {
  annotationText,
  type Annotation,
  evaluateInstant,
  evaluateRange,
  type Matcher,
  type MemoryStore,
  PromqlError,
  type Series,
  typeOf,
} from '../../../slo/promql/index.js';
import { typeNames } from '../../../slo/promql/syntax/types.js';
import { resultJson } from '../../../slo/promql/data/results.js';
import {
  ApiError,
  badData,
  checkTimeout,
  durationOf,
  labelNameOf,
  limitOf,
  matchersOf,
  queryOf,
  timeOf,
} from './parameters.js';

export interface Answer {
  data: unknown;
  warnings?: string[];
  infos?: string[];
}

export interface QueryBounds {
  /** Step of subqueries that set none, in milliseconds. */
  subqueryStepMs: number;
  /** Maximum number of samples that one query may hold. */
  samplesMax: number;
}

/** Prometheus's limit: a screen has no more columns. */
const pointsMax = 11_000;

/** Prometheus's bounds of time for series and labels, when a request sets none. */
const everMs = 8.64e15;

export class QueryAnswers {
  readonly #store: MemoryStore;
  readonly #bounds: QueryBounds;
  readonly #nowMs: () => number;

  constructor(store: MemoryStore, bounds: QueryBounds, nowMs: () => number) {
    this.#store = store;
    this.#bounds = bounds;
    this.#nowMs = nowMs;
  }

  instant(query: URLSearchParams): Answer {
    const timeMs = timeOf(query, 'time', this.#nowMs());
    const { text, expr } = queryOf(query);
    const options = this.#options(query);
    const { value, annotations } = evaluated(() =>
      evaluateInstant(expr, this.#store, timeMs, options),
    );
    const limit = limitOf(query);
    const found = 'samples' in value ? value.samples : 'series' in value ? value.series : [];
    const isCut = limit !== 0 && found.length > limit;
    const said = remarks(annotations, text, isCut);
    if (!isCut) return { data: resultJson(value), ...said };
    const cut =
      'samples' in value
        ? { ...value, samples: value.samples.slice(0, limit) }
        : { ...value, series: found.slice(0, limit) };
    return { data: resultJson(cut as typeof value), ...said };
  }

  range(query: URLSearchParams): Answer {
    const startMs = timeOf(query, 'start');
    const endMs = timeOf(query, 'end');
    if (endMs < startMs) throw badData('end', 'end timestamp must not be before start time');
    const stepMs = durationOf(query, 'step');
    if (stepMs <= 0) {
      const why = 'zero or negative query resolution step widths are not accepted.';
      throw badData('step', `${why} Try a positive integer`);
    }
    if ((endMs - startMs) / stepMs > pointsMax) {
      const why = 'exceeded maximum resolution of 11,000 points per timeseries.';
      throw new ApiError(400, 'bad_data', `${why} Try decreasing the query resolution (?step=XX)`);
    }
    const { text, expr } = queryOf(query);
    const options = this.#options(query);
    const type = typeOf(expr);
    if (type !== 'vector' && type !== 'scalar') {
      const why = `invalid expression type "${typeNames[type]}" for range query`;
      throw badData('query', `${why}, must be Scalar or instant Vector`);
    }
    const { series, annotations } = evaluated(() =>
      evaluateRange(expr, this.#store, startMs, endMs, stepMs, options),
    );
    const limit = limitOf(query);
    const isCut = limit !== 0 && series.length > limit;
    const kept = isCut ? series.slice(0, limit) : series;
    const said = remarks(annotations, text, isCut);
    return { data: resultJson({ type: 'range', series: kept }), ...said };
  }

  series(query: URLSearchParams): Answer {
    const matchers = matchersOf(query);
    if (matchers.length === 0) {
      throw new ApiError(400, 'bad_data', 'no match[] parameter provided');
    }
    return limited(
      [...this.#found(query, matchers)].map((s) => s.labels.toObject()),
      query,
    );
  }

  labels(query: URLSearchParams): Answer {
    const names = new Set<string>();
    for (const series of this.#found(query, matchersOf(query))) {
      for (const name of series.labels.names) names.add(name);
    }
    return limited([...names].sort(), query);
  }

  values(part: string, query: URLSearchParams): Answer {
    const name = labelNameOf(part);
    const values = new Set<string>();
    for (const series of this.#found(query, matchersOf(query))) {
      const value = series.labels.get(name);
      if (value !== '') values.add(value);
    }
    return limited([...values].sort(), query);
  }

  #found(query: URLSearchParams, matchers: readonly (readonly Matcher[])[]): Set<Series> {
    const fromMs = timeOf(query, 'start', -everMs);
    const toMs = timeOf(query, 'end', everMs);
    const lists = matchers.length === 0 ? [[]] : matchers;
    return new Set(lists.flatMap((list) => [...this.#store.select(list, fromMs, toMs)]));
  }

  #options(query: URLSearchParams) {
    checkTimeout(query);
    const lookback = query.get('lookback_delta') ?? '';
    return {
      ...this.#bounds,
      ...(lookback === '' ? {} : { lookbackMs: durationOf(query, 'lookback_delta') }),
    };
  }
}

function evaluated<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    throw new ApiError(422, 'execution', error.message);
  }
}

const cutText = 'results truncated due to limit';

function limited(all: readonly unknown[], query: URLSearchParams): Answer {
  const limit = limitOf(query);
  if (limit === 0 || all.length <= limit) return { data: all };
  return { data: all.slice(0, limit), warnings: [cutText] };
}

/** Warnings and infos; at most as many of each as Prometheus returns. */
function remarks(
  annotations: readonly Annotation[],
  text: string,
  isCut: boolean,
): Partial<Answer> {
  const of = (severity: Annotation['severity']): string[] =>
    annotations
      .filter((a) => a.severity === severity)
      .slice(0, 10)
      .map((a) => annotationText(a, text));
  const warnings = [...of('warning'), ...(isCut ? [cutText] : [])];
  const infos = of('info');
  return { ...(warnings.length > 0 ? { warnings } : {}), ...(infos.length > 0 ? { infos } : {}) };
}
