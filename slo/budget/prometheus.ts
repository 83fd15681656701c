/** A client for Prometheus's query API, or a compatible one; its errors are made for users. */
import type { Fetch } from '../../base/access.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';

export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface SampleSeries {
  labels: Record<string, string>;
  /** Pairs of time in milliseconds and value. */
  points: [number, number][];
}

/** A rule in the answer of `/api/v1/rules`; only the fields that are used here. */
export interface LoadedRule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  /** Seconds, like the next; only alerts have them. */
  duration?: number;
  keepFiringFor?: number;
}

export interface LoadedGroup {
  name: string;
  /** Seconds. */
  interval: number;
  rules: LoadedRule[];
}

type Vector = { metric: Record<string, string>; value: [number, string] }[];
type Matrix = { metric: Record<string, string>; values: [number, string][] }[];

/** Maximum number of points in one answer; Prometheus refuses more than 11,000. */
const pointsMax = 10_000;

/** Prometheus was not reachable or did not answer in time, as opposed to a query that it refused. */
export class PrometheusGone extends UserError {
  constructor(
    message: string,
    /** Whether the server accepted the connection without answering. */
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
        message: `'${url}' is not the URL of a Prometheus`,
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

  /** The value of the only series; undefined if there is none or it is not a number. */
  async scalar(query: string, timeMs: number): Promise<number | undefined> {
    const value = (await this.query(query, timeMs))[0]?.value;
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  /** The values at each step; the step grows if the answer would have too many points. */
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

  /** The rules that Prometheus evaluates, by group and in order. */
  async rules(): Promise<LoadedRule[]> {
    const { groups } = (await this.#ask('rules', {})) as { groups?: { rules?: LoadedRule[] }[] };
    return (groups ?? []).flatMap((g) => g.rules ?? []);
  }

  /** The rules with their groups, in the order of evaluation. */
  async ruleGroups(): Promise<LoadedGroup[]> {
    const { groups } = (await this.#ask('rules', {})) as { groups?: LoadedGroup[] };
    return groups ?? [];
  }

  /** Every metric name that Prometheus knows. */
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
