/** Rate limits: one bucket of tokens for all clients, or one for each client identity. */
import type { RateLimit } from '../../../model.js';
import { TokenBucket } from '../../../token-bucket.js';

/** Clients with a bucket of their own; the rest share one, so that inventing identities gains nothing. */
export const maxBuckets = 10_000;

export class RateLimiter {
  readonly policy: RateLimit;
  readonly #overrides: { identities: readonly string[]; bucket: TokenBucket }[];
  readonly #shared: TokenBucket;
  readonly #byIdentity = new Map<string, TokenBucket>();

  constructor(policy: RateLimit, nowMs: number) {
    this.policy = policy;
    const { requestsPerSecond, burst, overrides = [] } = policy;
    this.#shared = new TokenBucket(requestsPerSecond, burst, nowMs);
    this.#overrides = overrides.map((o) => ({
      identities: o.identities,
      bucket: new TokenBucket(o.requestsPerSecond, o.burst, nowMs),
    }));
  }

  /** 0: let the request through. Otherwise refuse it; the client may try again after this many milliseconds. */
  take(identity: string | undefined, nowMs: number): number {
    const bucket = this.#bucketOf(identity, nowMs);
    return bucket.take(nowMs) ? 0 : Math.max(1, bucket.waitMs(nowMs));
  }

  #bucketOf(identity: string | undefined, nowMs: number): TokenBucket {
    if (identity !== undefined) {
      for (const { identities, bucket } of this.#overrides) {
        if (identities.some((i) => names(i, identity))) return bucket;
      }
    }
    if (this.policy.per === 'all' || identity === undefined) return this.#shared;
    let bucket = this.#byIdentity.get(identity);
    if (bucket) return bucket;
    if (this.#byIdentity.size >= maxBuckets) {
      this.#forget(nowMs);
      if (this.#byIdentity.size >= maxBuckets) return this.#shared;
    }
    bucket = new TokenBucket(this.policy.requestsPerSecond, this.policy.burst, nowMs);
    this.#byIdentity.set(identity, bucket);
    return bucket;
  }

  /** Drops buckets that are full again, since a new bucket is full too; only the oldest eighth is checked. */
  #forget(nowMs: number): void {
    let looked = 0;
    for (const [identity, bucket] of this.#byIdentity) {
      if (looked++ > maxBuckets / 8) break;
      if (bucket.isFull(nowMs)) this.#byIdentity.delete(identity);
    }
  }
}

const names = (pattern: string, identity: string): boolean =>
  pattern === '*' ||
  pattern === identity ||
  (pattern.startsWith('*.') && identity.endsWith(pattern.slice(1)));
