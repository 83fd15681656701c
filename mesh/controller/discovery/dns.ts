/**
 * Endpoints from DNS: resolved again when their TTL is over; the last good answer is kept while DNS does not answer.
 */
import { Resolver as NodeResolver } from 'node:dns/promises';
import { type Clock, realClock, type Timer } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { Endpoint } from '../../model.js';
import type { DnsBackend } from '../registry/compile.js';
import type { RegistryDns } from '../registry/schema.js';
import type { SourceSnapshot } from './source.js';

export interface DnsAnswer {
  /** `ip:port`, with the SRV record's weight if there is one. */
  addresses: { address: string; weight?: number }[];
  ttlMs: number;
}

/** Rejects when there is no answer; an error with code ENOTFOUND or ENODATA means that the name does not exist. */
export interface Resolver {
  resolve(dns: Pick<RegistryDns, 'name' | 'port' | 'type'>): Promise<DnsAnswer>;
}

/** A name counts as removed after this many denials in a row: one denial may come from a restarting server. */
const believedDenials = 3;
const retryMs = 2000;

interface Followed {
  dns: RegistryDns;
  addresses: DnsAnswer['addresses'];
  timer: Timer | undefined;
  problem: string | undefined;
  denials: number;
  stopped: boolean;
}

export class DnsEndpoints {
  readonly #clock: Clock;
  readonly #resolver: Resolver;
  readonly #onChange: () => void;
  readonly #followed = new Map<string, Followed>();
  #backends: readonly DnsBackend[] = [];
  readonly #firstAnswers = new Set<Promise<void>>();

  constructor(options: { clock?: Clock; resolver?: Resolver; onChange: () => void }) {
    this.#clock = options.clock ?? realClock;
    this.#resolver = options.resolver ?? new SystemResolver();
    this.#onChange = options.onChange;
  }

  /** Begins to follow new backends and stops following those not in the list; the others keep their answer. */
  follow(backends: readonly DnsBackend[]): void {
    this.#backends = backends;
    const wanted = new Map(backends.map((b) => [JSON.stringify(b.dns), b.dns]));
    for (const [key, followed] of this.#followed) {
      if (wanted.has(key)) continue;
      followed.stopped = true;
      followed.timer?.cancel();
      this.#followed.delete(key);
    }
    for (const [key, dns] of wanted) {
      if (this.#followed.has(key)) continue;
      const followed: Followed = {
        dns,
        addresses: [],
        timer: undefined,
        problem: undefined,
        denials: 0,
        stopped: false,
      };
      this.#followed.set(key, followed);
      const first = this.#ask(followed);
      this.#firstAnswers.add(first);
      void first.finally(() => this.#firstAnswers.delete(first));
    }
  }

  /** Resolves when each name has been resolved once, at the latest after `limitMs`. */
  async settled(limitMs: number): Promise<void> {
    if (this.#firstAnswers.size === 0) return;
    let timer: Timer | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = this.#clock.after(limitMs, resolve);
    });
    await Promise.race([Promise.all(this.#firstAnswers), limit]);
    timer?.cancel();
  }

  /** Adds the endpoints from DNS to the snapshot. */
  fill(snapshot: SourceSnapshot): SourceSnapshot {
    if (this.#backends.length === 0) return snapshot;
    const destinations = snapshot.destinations.map((destination) => {
      const mine = this.#backends.filter((b) => b.destination === destination.name);
      if (mine.length === 0) return destination;
      const backends = destination.backends.map((backend) => {
        const source = mine.find((b) => b.backend === backend.name);
        if (!source) return backend;
        return { ...backend, endpoints: [...backend.endpoints, ...this.#endpointsOf(source)] };
      });
      return { ...destination, backends };
    });
    return { ...snapshot, destinations };
  }

  problems(): string[] {
    return [...this.#followed.values()].flatMap((f) => f.problem ?? []);
  }

  stop(): void {
    this.follow([]);
  }

  #endpointsOf(source: DnsBackend): Endpoint[] {
    const followed = this.#followed.get(JSON.stringify(source.dns));
    return (followed?.addresses ?? []).map((a) => ({
      ...a,
      ...(source.identity !== undefined && { identity: source.identity }),
    }));
  }

  async #ask(followed: Followed): Promise<void> {
    const { dns } = followed;
    let nextMs = retryMs;
    const before = JSON.stringify([followed.addresses, followed.problem]);
    try {
      const answer = await this.#resolver.resolve(dns);
      // Sorted, because servers rotate their answers, which is no change.
      followed.addresses = answer.addresses.sort((a, b) => (a.address < b.address ? -1 : 1));
      followed.problem = undefined;
      followed.denials = 0;
      nextMs = Math.min(Math.max(answer.ttlMs, dns.minTtl), dns.maxTtl);
    } catch (error) {
      followed.denials = isDenial(error) ? followed.denials + 1 : 0;
      if (followed.denials >= believedDenials) followed.addresses = [];
      const kept = followed.addresses.length > 0 ? '; its last answer stays in force' : '';
      followed.problem = `DNS: ${dns.type} ${dns.name}: ${messageOf(error)}${kept}`;
    }
    if (followed.stopped) return;
    followed.timer = this.#clock.after(nextMs, () => void this.#ask(followed));
    if (JSON.stringify([followed.addresses, followed.problem]) !== before) this.#onChange();
  }
}

/** The answer that there is no such name, or no such record of it. */
const isDenial = (error: unknown): boolean =>
  ['ENOTFOUND', 'ENODATA'].includes((error as NodeJS.ErrnoException).code ?? '');

/** The system's DNS servers (not /etc/hosts, which has no TTL), or the given ones. */
export class SystemResolver implements Resolver {
  readonly #resolver = new NodeResolver({ timeout: 2000, tries: 2 });

  constructor(servers?: readonly string[]) {
    if (servers) this.#resolver.setServers(servers);
  }

  async resolve(dns: Pick<RegistryDns, 'name' | 'port' | 'type'>): Promise<DnsAnswer> {
    if (dns.type === 'SRV') return this.#resolveSrv(dns.name);
    const records = await this.#addresses(dns.name, dns.type);
    return {
      addresses: records.map((r) => ({ address: join(r.address, dns.port as number) })),
      ttlMs: Math.min(...records.map((r) => r.ttl)) * 1000,
    };
  }

  /**
   * Uses only records of the best (lowest) priority, and of a target its IPv4 addresses, else those of IPv6. A target
   * without an address leaves the others in use. Node does not report an SRV record's TTL: the targets' TTL is used.
   */
  async #resolveSrv(name: string): Promise<DnsAnswer> {
    const records = await this.#resolver.resolveSrv(name);
    const best = Math.min(...records.map((r) => r.priority));
    const addresses: DnsAnswer['addresses'] = [];
    let ttl = 30;
    let denial: unknown;
    const targets = async (target: string): Promise<{ address: string; ttl: number }[]> => {
      for (const type of ['A', 'AAAA'] as const) {
        try {
          return await this.#addresses(target, type);
        } catch (error) {
          if (!isDenial(error)) throw error;
          denial = error;
        }
      }
      return [];
    };
    for (const record of records.filter((r) => r.priority === best)) {
      for (const target of await targets(record.name)) {
        ttl = Math.min(ttl, target.ttl);
        addresses.push({
          address: join(target.address, record.port),
          ...(record.weight > 0 && { weight: record.weight }),
        });
      }
    }
    if (addresses.length === 0) throw denial;
    return { addresses, ttlMs: ttl * 1000 };
  }

  #addresses(name: string, type: 'A' | 'AAAA'): Promise<{ address: string; ttl: number }[]> {
    return type === 'A'
      ? this.#resolver.resolve4(name, { ttl: true })
      : this.#resolver.resolve6(name, { ttl: true });
  }
}

const join = (ip: string, port: number): string =>
  ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
