/**
 * An extra label on request metrics, such as the tenant, read from a header or the caller's identity. Its values are
 * limited in number and form: values beyond the limit become `overflow`, a missing value becomes `none`.
 */
import type { Clock } from '../../../base/clock.js';
import { parseIdentity } from '../../identity/names.js';
import type { RequestLabelPolicy } from '../../model.js';
import type { RequestInfo } from './contract.js';

/** One value; all of its requests share the object. */
export interface LabelValue {
  readonly name: string;
  readonly value: string;
}

interface Known extends LabelValue {
  seenMs: number;
}

const defaultMaxValues = 50;
/** A longer value is not a name. */
const maxLength = 64;
/** A value that has not come for this long makes room for a new one. */
export const retainValueMs = 600_000;

const utf8 = (latin1: string | undefined): string | undefined =>
  latin1 !== undefined && /[\x80-\xff]/.test(latin1)
    ? Buffer.from(latin1, 'latin1').toString()
    : latin1;

export class RequestLabel {
  readonly name: string;
  readonly #policy: RequestLabelPolicy;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #none: LabelValue;
  readonly #rest: LabelValue;
  readonly #onOverflow: () => void;

  constructor(policy: RequestLabelPolicy, clock: Clock, onOverflow: () => void) {
    this.name = policy.name;
    this.#policy = policy;
    this.#clock = clock;
    this.#onOverflow = onOverflow;
    this.#none = { name: policy.name, value: 'none' };
    this.#rest = { name: policy.name, value: 'overflow' };
    for (const value of policy.values ?? []) this.#add(value, Infinity);
  }

  of(request: RequestInfo): LabelValue {
    const value = this.#read(request);
    if (value === undefined || value === '') return this.#none;
    const known = this.#known.get(value);
    if (known) {
      if (known.seenMs !== Infinity) known.seenMs = this.#clock.monotonicMs();
      return known;
    }
    if (this.#policy.values || value.length > maxLength || !this.#hasRoom()) {
      this.#onOverflow();
      return this.#rest;
    }
    return this.#add(value, this.#clock.monotonicMs());
  }

  /** Whether a value still has series of its own. */
  has(value: string): boolean {
    return value === 'none' || value === 'overflow' || this.#known.has(value);
  }

  #read(request: RequestInfo): string | undefined {
    const { header, identity } = this.#policy;
    // A front reads each byte as a character; people write the values of a list in UTF-8.
    if (header !== undefined) return utf8(request.header(header)?.trim());
    const whole = request.peerIdentity;
    if (whole === undefined || identity === 'name') return whole;
    const parsed = parseIdentity(whole);
    return identity === 'namespace' ? parsed?.namespace : parsed?.serviceAccount;
  }

  #add(value: string, seenMs: number): Known {
    const known = { name: this.name, value, seenMs };
    this.#known.set(value, known);
    return known;
  }

  /** Makes room by dropping values that have not been seen for `retainValueMs`. */
  #hasRoom(): boolean {
    if (this.#known.size < (this.#policy.max ?? defaultMaxValues)) return true;
    const longAgoMs = this.#clock.monotonicMs() - retainValueMs;
    for (const [value, { seenMs }] of this.#known) {
      if (seenMs >= longAgoMs) continue;
      this.#known.delete(value);
      return true;
    }
    return false;
  }
}
