/** Counts each version's requests, failures and slow answers: from the sidecars of its pods, or from a Prometheus. */
import { boundedJson, boundedText } from '../../../base/bounded-answer.js';
import { type Access, fetchWith } from '../../../base/access.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { ports } from '../annotations.js';
import type { KubeApi } from '../client/api.js';
import type { CredentialOptions } from '../client/credentials.js';
import { resources } from '../client/objects.js';
import { type Forwarded, forwardToPods } from '../client/port-forward.js';
import type { Pod, Service } from '../discovery/types.js';
import { isMeshed } from '../discovery/workload.js';
import { parseExposition, type Sample } from '../observe/exposition.js';
import type { Counts, CountsOfBoth } from './rollout.js';

/** The Services of both versions. */
export interface Versions {
  namespace: string;
  stable: string;
  canary: string;
}

export interface CountSource {
  /** Returns the counts since the first call; throws a UserError if there is nothing that could be compared. */
  counts(): Promise<CountsOfBoth>;
  /** The reason why the last counts say too little of a version; undefined if they are whole. */
  doubt(): string | undefined;
}

const limitMs = 8000;

/**
 * Counts a sidecar's inbound requests; a slow one took longer than the smallest bound at or above the threshold.
 * Throws a UserError for a threshold above all bounds, since then no answer would ever be slow.
 */
export function inboundCounts(
  samples: readonly Sample[],
  slowerThanMs: number | undefined,
): Counts {
  const counts: Counts = { requests: 0, failed: 0, slow: 0 };
  const bounds = new Map<number, number>();
  for (const { name, labels, value } of samples) {
    if (labels.direction !== 'inbound') continue;
    if (name === 'response_total') {
      counts.requests += value;
      if (labels.classification === 'failure') counts.failed += value;
    } else if (name === 'response_latency_ms_bucket') {
      const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
      bounds.set(bound, (bounds.get(bound) ?? 0) + value);
    }
  }
  if (slowerThanMs === undefined || counts.requests === 0) return counts;
  const finite = [...bounds.keys()].filter(Number.isFinite);
  const bound = Math.min(...finite.filter((b) => b >= slowerThanMs));
  if (!Number.isFinite(bound)) {
    throw new UserError({
      message: `--slower-than ${slowerThanMs}ms: sidecars do not tell such latencies apart`,
      expected: finite.length > 0 ? `at most ${Math.max(...finite)}ms` : 'sidecars with latencies',
    });
  }
  counts.slow = (bounds.get(Infinity) ?? 0) - (bounds.get(bound) ?? 0);
  return counts;
}

/** Pods come and go: the counts of a removed pod, since it was first seen, are kept. */
export class MeshCounts implements CountSource {
  readonly #api: KubeApi;
  readonly #access: CredentialOptions;
  readonly #versions: Versions;
  readonly #slowerThanMs: number | undefined;
  readonly #ways = new Map<string, Forwarded>();
  readonly #last = new Map<string, Counts>();
  /** The pods that did not answer when they were asked last, with the reason. */
  readonly #silent = new Map<string, string>();
  readonly #sums = {
    stable: { requests: 0, failed: 0, slow: 0 },
    canary: { requests: 0, failed: 0, slow: 0 },
  };

  constructor(
    api: KubeApi,
    access: CredentialOptions,
    versions: Versions,
    slowerThanMs: number | undefined,
  ) {
    this.#api = api;
    this.#access = access;
    this.#versions = versions;
    this.#slowerThanMs = slowerThanMs;
  }

  async counts(): Promise<CountsOfBoth> {
    this.#silent.clear();
    await Promise.all([this.#read('stable'), this.#read('canary')]);
    return structuredClone(this.#sums);
  }

  doubt(): string | undefined {
    const silent = [...this.#silent].map(
      ([pod, why]) => `pod ${pod} does not tell its counts: ${why}`,
    );
    return silent.length > 0 ? silent.join('; ') : undefined;
  }

  async #read(side: 'stable' | 'canary'): Promise<void> {
    const pods = await this.#podsOf(this.#versions[side]);
    // Callers get errors for its whole share, and its sidecars count none of them.
    if (side === 'canary' && !pods.some(isReady)) {
      const message = `no pod of Service ${this.#versions.canary} is ready`;
      throw new UserError(message, exitCode.environment);
    }
    await Promise.all(
      pods.map(async (pod) => {
        const uid = pod.metadata.uid ?? '';
        const now = await this.#countsOf(pod);
        if (!now) return;
        const before = this.#last.get(uid);
        this.#last.set(uid, now);
        if (!before) return;
        for (const what of ['requests', 'failed', 'slow'] as const) {
          // A counter that fell belongs to a restarted proxy.
          const more = now[what] >= before[what] ? now[what] - before[what] : now[what];
          this.#sums[side][what] += more;
        }
      }),
    );
  }

  async #podsOf(name: string): Promise<Pod[]> {
    const { namespace } = this.#versions;
    const { spec } = await this.#api.get<Service>(resources.Service, namespace, name);
    const labelSelector = Object.entries(spec.selector ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    if (labelSelector === '') throw new UserError(`Service ${name} selects no pods`);
    const { items } = await this.#api.list<Pod>(resources.Pod, { namespace, labelSelector });
    const meshed = items.filter((p) => isMeshed(p) && p.status?.phase === 'Running');
    if (meshed.length > 0) return meshed;
    throw new UserError(`no running pod of Service ${name} has a proxy`, exitCode.environment);
  }

  /** Undefined if the sidecar does not answer: its pod may be terminating. */
  async #countsOf(pod: Pod): Promise<Counts | undefined> {
    const { uid = '', name, namespace = '' } = pod.metadata;
    let way = this.#ways.get(uid);
    if (!way) {
      [way] = await forwardToPods(this.#access, [{ namespace, name, port: ports.admin }]);
      if (!way) return undefined;
      this.#ways.set(uid, way);
    }
    let text: string;
    try {
      const response = await fetch(`http://${way.address}/metrics`, {
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(limitMs),
      });
      text = await boundedText(response);
      if (!response.ok) throw new Error(`its metrics answered ${response.status}`);
    } catch (error) {
      // An ending pod may have lost its sidecar already.
      if (pod.metadata.deletionTimestamp === undefined)
        this.#silent.set(name, way.problem() ?? messageOf(error));
      return undefined;
    }
    return inboundCounts(parseExposition(text), this.#slowerThanMs);
  }
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

/** Counters in PromQL, in which `{{version}}` stands for the Service of a version. */
export interface CounterQueries {
  total: string;
  bad?: string | undefined;
  slow?: string | undefined;
}

export class PrometheusCounts implements CountSource {
  readonly #access: Access;
  readonly #versions: Versions;
  readonly #queries: [keyof Counts, string, string][];
  /** The queries that had a series, as they were sent. */
  readonly #seen = new Set<string>();
  readonly #last = new Map<string, Counts>();
  #gone: string[] = [];

  /** Throws a UserError for a query that would count the same for both versions. */
  constructor(access: Access, versions: Versions, { total, bad, slow }: CounterQueries) {
    this.#access = access;
    this.#versions = versions;
    const all: [keyof Counts, string, string | undefined][] = [
      ['requests', '--total', total],
      ['failed', '--bad', bad],
      ['slow', '--slow', slow],
    ];
    this.#queries = all.flatMap(([what, flag, query]) =>
      query === undefined ? [] : [[what, flag, query]],
    );
    for (const [, flag, query] of this.#queries) {
      if (query.includes('{{version}}')) continue;
      const message = `${flag} ${query}: it counts the same for both versions`;
      throw new UserError({ message, expected: '{{version}} in it, which becomes the Service' });
    }
  }

  async counts(): Promise<CountsOfBoth> {
    this.#gone = [];
    const [stable, canary] = await Promise.all([
      this.#of(this.#versions.stable),
      this.#of(this.#versions.canary),
    ]);
    for (const [, flag, query] of this.#queries) this.#mustHaveSeries(flag, query);
    return { stable, canary };
  }

  doubt(): string | undefined {
    return this.#gone.length > 0
      ? `these had series and have none now: ${this.#gone.join('; ')}`
      : undefined;
  }

  /** While a query has lost its series, the version's counts stay as they were: nothing is known of it. */
  async #of(version: string): Promise<Counts> {
    const counts: Counts = { requests: 0, failed: 0, slow: 0 };
    let isWhole = true;
    await Promise.all(
      this.#queries.map(async ([what, , template]) => {
        const query = template.replaceAll('{{version}}', version);
        const sum = await this.#ask(query);
        if (sum !== undefined) {
          this.#seen.add(query);
          counts[what] = sum;
        } else if (this.#seen.has(query)) {
          this.#gone.push(query);
          isWhole = false;
        }
      }),
    );
    const known = isWhole ? counts : (this.#last.get(version) ?? counts);
    this.#last.set(version, known);
    return known;
  }

  /** A misspelt name has no series either, and a version would then be good by a count of nothing. */
  #mustHaveSeries(flag: string, template: string): void {
    const { stable, canary } = this.#versions;
    const isSeen = [stable, canary].some((v) =>
      this.#seen.has(template.replaceAll('{{version}}', v)),
    );
    if (isSeen) return;
    throw new UserError({
      message: `${flag} ${template}: no series for ${stable} or ${canary}, so nothing can be compared`,
      expected:
        flag === '--total'
          ? 'a counter that Prometheus has'
          : 'a counter that is there before the first failure, such as all requests minus the good ones',
    });
  }

  /** Adds up all series of the answer; undefined if there is none. */
  async #ask(query: string): Promise<number | undefined> {
    const url = `${this.#access.url}/api/v1/query`;
    try {
      const response = await fetchWith(this.#access)(url, {
        method: 'POST',
        body: new URLSearchParams({ query }),
        signal: AbortSignal.timeout(limitMs),
      });
      const answer = (await boundedJson(response)) as Answer;
      if (answer.status !== 'success') throw new Error(answer.error ?? `${response.status}`);
      const { resultType = 'vector', result = [] } = answer.data ?? {};
      if (resultType !== 'vector') throw new Error(`a ${resultType} is no counter`);
      if (result.length === 0) return undefined;
      const sum = result.reduce((all, { value }) => all + Number(value?.[1]), 0);
      if (Number.isFinite(sum) && sum >= 0) return sum;
      throw new Error(`${result.map(({ value }) => value?.[1]).join(', ')} is no count`);
    } catch (error) {
      throw new UserError(`${url}: ${query}: ${messageOf(error)}`, exitCode.environment);
    }
  }
}

interface Answer {
  status?: string;
  error?: string;
  data?: { resultType?: string; result?: { value?: [number, string] }[] };
}
