/** Session affinity: this proxy, as one client, keeps the endpoint of its last request while that one is ready. */
import type { Asked } from './accrual.js';
import type { EndpointRecord } from './endpoint.js';

export class Affinity {
  /** The time after the last request for which the endpoint is kept; undefined: it is not. */
  seconds: number | undefined;
  #kept: EndpointRecord | undefined;
  #untilMs = 0;

  endpoint(
    backend: { candidatesFor(asked: Asked): readonly EndpointRecord[] },
    asked: Asked,
    nowMs: number,
  ): EndpointRecord | undefined {
    if (this.seconds === undefined || this.#kept === undefined || nowMs >= this.#untilMs)
      return undefined;
    if (!backend.candidatesFor(asked).includes(this.#kept)) return undefined;
    this.keep(this.#kept, nowMs);
    return this.#kept;
  }

  keep(endpoint: EndpointRecord, nowMs: number): void {
    if (this.seconds === undefined) return;
    this.#kept = endpoint;
    this.#untilMs = nowMs + this.seconds * 1000;
  }
}
