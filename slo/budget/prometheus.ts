/** Asks a Prometheus (or what speaks its API) for numbers; what fails is said in the user's words. */
import type { Fetch } from '../../base/access.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';

export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface SampleSeries {
  labels: Record<string, string>;
  /** Time in milliseconds and value. */
  points: [number, number][];
}

/** A rule as `/api/v1/rules` tells it; only what is asked for here. */
export interface LoadedRule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  /** Of an alert, in seconds. */
  duration?: number;
  keepFiringFor?: number;
}

export interface LoadedGroup {
  name: string;
  /** In seconds. */
  interval: number;
  rules: LoadedRule[];
}

type Vector = { metric: Record<string, string>; value: [number, string] }[];
type Matrix = { metric: Record<string, string>; values: [number, string][] }[];

/** Points of one answer at most; Prometheus refuses above 11,000. */
const pointsMax = 10_000;

/** It could not be asked, or did not answer in time: other than a query that it refused. */
export class PrometheusGone extends UserError {
  constructor(
    message: string,
    /** Somebody took the connection and said nothing. */
    readonly tooSlow: boolean,
  ) {
    super(message, exitCode.environment);
  }
}

export class PrometheusClient {
  readonly url: string;
  readonly #timeoutMs: number;
  readonly #fetch: Fetch;

  constructor(url: string, timeoutMs = 30_000, fetcher: Fetch = fetch) {
    this.#fetch = fetcher;
    try {
      this.url = new URL(url).href.replace(/\/$/, '');
    } catch {
      throw new UserError({
        message: `'${url}' is no URL of a Prometheus`,
        expected: 'such as http://localhost:9090',
      });
    }
    this.#timeoutMs = timeoutMs;
  }

  async query(query: string, timeMs: number): Promise<Sample[]> {
    const data = await this.#ask('query', { query, time: String(timeMs / 1000) });
    return (data as Vector).map(({ metric, value }) => ({
      labels: metric,
      value: Number(value[1]),
    }));
  }

  /** The value of the only series, or undefined where there is none or it is no number. */
  async scalar(query: string, timeMs: number): Promise<number | undefined> {
    const value = (await this.query(query, timeMs))[0]?.value;
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  /** Values each step; the step grows where the answer would have too many points. */
  async range(
    query: string,
    startMs: number,
    endMs: number,
    stepMs: number,
  ): Promise<SampleSeries[]> {
    const step = Math.max(stepMs, Math.ceil((endMs - startMs) / pointsMax));
    const data = await this.#ask('query_range', {
      query,
      start: String(startMs / 1000),
      end: String(endMs / 1000),
      step: String(step / 1000),
    });
    return (data as Matrix).map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([time, value]) => [time * 1000, Number(value)]),
    }));
  }

  /** The rules that it evaluates, by group and in order. */
  async rules(): Promise<LoadedRule[]> {
    const { groups } = (await this.#ask('rules', {})) as { groups?: { rules?: LoadedRule[] }[] };
    return (groups ?? []).flatMap((g) => g.rules ?? []);
  }

  /** The same with their groups, as they are evaluated. */
  async ruleGroups(): Promise<LoadedGroup[]> {
    const { groups } = (await this.#ask('rules', {})) as { groups?: LoadedGroup[] };
    return groups ?? [];
  }

  /** Every metric name that it knows. */
  async metricNames(): Promise<string[]> {
    return (await this.#ask('label/__name__/values', {})) as string[];
  }

  async labelValues(label: string, selector: string): Promise<string[]> {
    return (await this.#ask(`label/${label}/values`, { 'match[]': selector })) as string[];
  }

  async #ask(path: string, parameters: Record<string, string>): Promise<unknown> {
    const get = path.startsWith('label/') || path === 'rules';
    const body = new URLSearchParams(parameters);
    let response: Response;
    try {
      response = await this.#fetch(`${this.url}/api/v1/${path}${get ? `?${body}` : ''}`, {
        method: get ? 'GET' : 'POST',
        ...(get ? {} : { body }),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause ? error.cause : error;
      throw new PrometheusGone(
        `Prometheus at ${this.url} cannot be reached: ${messageOf(cause)}`,
        cause instanceof Error && cause.name === 'TimeoutError',
      );
    }
    const answer = (await response.json().catch(() => ({}))) as {
      status?: string;
      error?: string;
      data?: unknown;
    };
    if (answer.status !== 'success') {
      throw new UserError(
        `${this.url} refused '${parameters.query ?? path}': ${answer.error ?? response.statusText}`,
        exitCode.environment,
      );
    }
    const data = answer.data as { result?: unknown };
    return get ? data : data.result;
  }
}
