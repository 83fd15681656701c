/** A flow that only picks at random: what the fronts run against until the policies are in. */
import type { Random } from '../../../base/random.js';
import type { EndpointState, Flow, Refusal, TryFailure } from './contract.js';
import type { EndpointRecord } from './endpoint.js';

export class SimpleFlow implements Flow {
  readonly route = { name: 'default' };
  refusal: Refusal | undefined = undefined;
  readonly requestTimeoutMs = 0;
  readonly perTryTimeoutMs = 0;
  readonly idleTimeoutMs = 0;
  readonly delayMs = 0;
  readonly bytesPerSecond = 0;
  readonly waitMs = 0;
  readonly retryBufferBytes = 0;
  readonly requestHeaders = undefined;
  readonly responseHeaders = undefined;
  readonly moreRequestHeaders = undefined;
  readonly path = undefined;
  readonly authority = undefined;
  readonly mirror = undefined;
  readonly #endpoints: readonly EndpointRecord[];
  readonly #random: Random;

  constructor(endpoints: readonly EndpointRecord[], random: Random) {
    this.#endpoints = endpoints;
    this.#random = random;
  }

  pick(): EndpointState | undefined {
    const picked = this.#endpoints[this.#random.below(this.#endpoints.length)];
    if (!picked) this.#refuse(503, 'no-endpoint');
    return picked;
  }

  forbidRetry(): void {}

  tryFailed(failure: TryFailure): 'retry' | 'fail' {
    this.#refuse(failure.endsWith('timeout') ? 504 : 502, failure);
    return 'fail';
  }

  responded(): 'relay' | 'retry' {
    return 'relay';
  }

  retryDelayMs(): number {
    return 0;
  }

  ended(): void {}

  #refuse(status: number, reason: string): void {
    this.refusal = {
      kind: 'answer',
      status,
      grpcStatus: -1,
      headers: ['l5d-proxy-error', reason],
      body: `${reason}\n`,
      reason,
    };
  }
}
