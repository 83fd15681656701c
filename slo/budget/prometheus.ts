/** A client for Prometheus's query API, or a compatible one; its errors are made for users. */
import { boundedText } from '../../base/bounded-answer.js';
import { type Fetch, splitAddress } from '../../base/access.js';
import { exitCode, UserError, whyUnanswered } from '../../base/errors.js';

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

type Vector = { metric: Record<string, string>; value?: [number, string] }[];
type Matrix = { metric: Record<string, string>; values?: [number, string][] }[];

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
  /** For an address with a user and a password, which no message shows. */
  readonly #headers: Record<string, string> = {};

  constructor(url: string, timeoutMs = 30_000, fetcher: Fetch = fetch) {
    this.#fetch = fetcher;
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.search + parsed.hash !== '') {
      throw new UserError({
        message: `'${url}' is not the URL of a Prometheus`,
        expected: 'such as http://localhost:9090',
      });
    }
    const { url: plain, authorization } = splitAddress(parsed.href);
    if (authorization !== undefined) this.#headers.authorization = authorization;
    this.url = plain;
    this.#timeoutMs = timeoutMs;
  }

  async query(query: string, timeMs: number): Promise<Sample[]> {
    const data = await this.#list('query', { query, time: String(timeMs / 1000) });
    // Native histograms have no value.
    return (data as Vector).flatMap(({ metric, value }) =>
      value ? [{ labels: metric, value: Number(value[1]) }] : [],
    );
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
    const data = await this.#list('query_range', {
      query,
      start: String(startMs / 1000),
      end: String(endMs / 1000),
      step: String(step / 1000),
    });
    return (data as Matrix).map(({ metric, values }) => ({
      labels: metric,
      points: (values ?? []).map(([time, value]) => [time * 1000, Number(value)]),
    }));
  }

  /** The rules that Prometheus evaluates, by group and in order. */
  async rules(): Promise<LoadedRule[]> {
    return (await this.ruleGroups()).flatMap((g) => g.rules);
  }

  /** The rules with their groups, in the order of evaluation. */
  async ruleGroups(): Promise<LoadedGroup[]> {
    const groups = (await this.#list('rules', {})) as LoadedGroup[];
    return groups.map((group) => ({ ...group, rules: group.rules ?? [] }));
  }

  /** Every metric name that Prometheus knows. */
  async metricNames(): Promise<string[]> {
    return (await this.#list('label/__name__/values', {})) as string[];
  }

  async labelValues(label: string, selector: string): Promise<string[]> {
    return (await this.#list(`label/${label}/values`, { 'match[]': selector })) as string[];
  }

  /** Types of the metrics that their targets declare: `counter`, `gauge` and others, by name. */
  async metricTypes(): Promise<Map<string, string>> {
    const { data, refuse } = await this.#ask('metadata', {});
    if (!isFields(data)) throw refuse();
    return new Map(
      Object.entries(data).flatMap(([name, facts]) => {
        const type = Array.isArray(facts) && isFields(facts[0]) ? facts[0].type : undefined;
        return typeof type === 'string' ? [[name, type] as const] : [];
      }),
    );
  }

  /** The names of the labels of the series that a selector matches. */
  async labelNames(selector: string): Promise<string[]> {
    return (await this.#list('labels', { 'match[]': selector })) as string[];
  }

  /** The configuration as YAML; undefined from servers that do not tell it. */
  async configuration(): Promise<string | undefined> {
    const { data } = await this.#ask('status/config', {}).catch(() => ({ data: undefined }));
    return isFields(data) && typeof data.yaml === 'string' ? data.yaml : undefined;
  }

  /** Returns the list in the answer: texts, series of a result, or groups of rules. */
  async #list(path: string, parameters: Record<string, string>): Promise<unknown[]> {
    const { data, refuse } = await this.#ask(path, parameters);
    const field = { rules: 'groups', query: 'result', query_range: 'result' }[path];
    // Go writes an empty list as null.
    const list = (field === undefined ? data : (data as Fields | undefined)?.[field]) ?? [];
    const holds = path.startsWith('label') ? isText : path === 'rules' ? hasRules : isSeries;
    const isAnswer = field === undefined ? data !== undefined : isFields(data);
    if (isAnswer && Array.isArray(list) && list.every(holds)) return list;
    throw refuse();
  }

  /** The data of a successful answer, and the error for data that are not as they must be. */
  async #ask(
    path: string,
    parameters: Record<string, string>,
  ): Promise<{ data: unknown; refuse: () => UserError }> {
    const get = !path.startsWith('query');
    const body = new URLSearchParams(parameters);
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(`${this.url}/api/v1/${path}${get ? `?${body}` : ''}`, {
        method: get ? 'GET' : 'POST',
        ...(get ? {} : { body }),
        headers: this.#headers,
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      text = await boundedText(response);
    } catch (error) {
      const cause = error instanceof Error && error.cause ? error.cause : error;
      throw new PrometheusGone(
        `Prometheus at ${this.url} cannot be reached: ${whyUnanswered(error)}`,
        cause instanceof Error && cause.name === 'TimeoutError',
      );
    }
    const { status, error, data } = answerIn(text);
    if (status === 'error') {
      throw new UserError(
        `${this.url} refused '${parameters.query ?? path}': ${error}`,
        exitCode.environment,
      );
    }
    const type = response.headers.get('content-type') ?? 'no content type';
    const refuse = (): UserError =>
      new UserError(
        {
          message: `${this.url} answered ${response.status} (${type}), and not as a Prometheus does`,
          expected: /^40[137]$/.test(String(response.status))
            ? 'credentials, such as http://user:password@host'
            : 'the address of a Prometheus',
        },
        exitCode.environment,
      );
    if (status !== 'success') throw refuse();
    return { data, refuse };
  }
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

function answerIn(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : {};
  } catch {
    return {};
  }
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isPair = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  typeof value[0] === 'number' &&
  typeof value[1] === 'string';
const hasRules = (value: unknown): boolean => isFields(value) && Array.isArray(value.rules ?? []);
const isSeries = (value: unknown): boolean =>
  isFields(value) &&
  isFields(value.metric) &&
  Object.entries(value).every(
    ([key, v]) =>
      (key !== 'value' || isPair(v)) && (key !== 'values' || (Array.isArray(v) && v.every(isPair))),
  );
