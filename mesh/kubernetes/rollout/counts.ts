/** Counts each version's requests, failures and slow answers: from the sidecars of its pods, or from a Prometheus. */
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
  /** Returns the counts since the first call. */
  counts(): Promise<CountsOfBoth>;
  /** The queries that never had a series: nothing happened, or a name is wrong. */
  unseen?(): string[];
}

const limitMs = 8000;

/** Counts a sidecar's inbound requests; a slow one took longer than the smallest bound at or above the threshold. */
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
  if (slowerThanMs !== undefined) {
    const bound = Math.min(...[...bounds.keys()].filter((b) => b >= slowerThanMs));
    counts.slow = (bounds.get(Infinity) ?? 0) - (bounds.get(bound) ?? 0);
  }
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
    await Promise.all([this.#read('stable'), this.#read('canary')]);
    return structuredClone(this.#sums);
  }

  async #read(side: 'stable' | 'canary'): Promise<void> {
    const pods = await this.#podsOf(this.#versions[side]);
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
    try {
      const response = await fetch(`http://${way.address}/metrics`, {
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(limitMs),
      });
      return inboundCounts(parseExposition(await response.text()), this.#slowerThanMs);
    } catch {
      return undefined;
    }
  }
}

/** Counters in PromQL, in which `{{version}}` stands for the Service of a version. */
export interface CounterQueries {
  total: string;
  bad?: string | undefined;
  slow?: string | undefined;
}

export class PrometheusCounts implements CountSource {
  readonly #access: Access;
  readonly #versions: Versions;
  readonly #queries: CounterQueries;
  readonly #seen = new Set<string>();

  constructor(access: Access, versions: Versions, queries: CounterQueries) {
    this.#access = access;
    this.#versions = versions;
    this.#queries = queries;
  }

  async counts(): Promise<CountsOfBoth> {
    const of = async (version: string): Promise<Counts> => {
      const { total, bad, slow } = this.#queries;
      const [requests, failed, late] = await Promise.all([
        this.#ask(total, version),
        bad === undefined ? 0 : this.#ask(bad, version),
        slow === undefined ? 0 : this.#ask(slow, version),
      ]);
      return { requests, failed, slow: late };
    };
    const [stable, canary] = await Promise.all([
      of(this.#versions.stable),
      of(this.#versions.canary),
    ]);
    return { stable, canary };
  }

  unseen(): string[] {
    const { total, bad, slow } = this.#queries;
    return [total, bad, slow].filter((q) => q !== undefined).filter((q) => !this.#seen.has(q));
  }

  /** Adds up all series of the answer; none counts as 0: an unused counter has no series. */
  async #ask(template: string, version: string): Promise<number> {
    const query = template.replaceAll('{{version}}', version);
    const url = `${this.#access.url}/api/v1/query`;
    try {
      const response = await fetchWith(this.#access)(url, {
        method: 'POST',
        body: new URLSearchParams({ query }),
        signal: AbortSignal.timeout(limitMs),
      });
      const answer = (await response.json()) as Answer;
      if (answer.status !== 'success') throw new Error(answer.error ?? `${response.status}`);
      const result = answer.data?.result ?? [];
      if (result.length > 0) this.#seen.add(template);
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
  data?: { result?: { value?: [number, string] }[] };
}
