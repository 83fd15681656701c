/**
 * An attempt, and a copy of it to another endpoint if the first has not begun to answer for a while. The first answer
 * that is no failure is passed on, and the other attempt is cancelled; both protocols see one attempt.
 */
import type { Clock, Timer } from '../../base/clock.js';
import type { EndpointState, Flow, Hedge, TryFailure } from './flow/contract.js';
import type { OpenTry, Try, TryHandler, TryRequest } from './seam.js';

/** For requests without a body. `open` opens each of the two, in the protocol of its endpoint. */
export function hedgedTries(flow: Flow, timers: Pick<Clock, 'after'>, open: OpenTry): OpenTry {
  const { hedge } = flow;
  if (!hedge) return open;
  return (...asked) => new HedgedTry(hedge, timers, open, ...asked);
}

class HedgedTry implements Try {
  readonly #hedge: Hedge;
  readonly #open: OpenTry;
  readonly #request: TryRequest;
  readonly #deadline: Timer;
  readonly handler: TryHandler;
  readonly isOpen = true;
  /** The attempts under way: both, or the one that goes on alone. */
  #attempts: Attempt[] = [];
  #first: Attempt;

  constructor(
    hedge: Hedge,
    timers: Pick<Clock, 'after'>,
    open: OpenTry,
    endpoint: EndpointState,
    request: TryRequest,
    handler: TryHandler,
  ) {
    this.#hedge = hedge;
    this.#open = open;
    this.#request = request;
    this.handler = handler;
    this.#deadline = timers.after(hedge.afterMs, () => this.#copy());
    this.#first = this.#send(endpoint);
  }

  #send(endpoint: EndpointState): Attempt {
    const attempt = new Attempt(this);
    this.#attempts.push(attempt);
    attempt.try = this.#open(endpoint, this.#request, attempt);
    return attempt;
  }

  #copy(): void {
    const endpoint = this.#hedge.pick();
    if (endpoint) this.#send(endpoint);
  }

  /** The other one, if it is under way. */
  #beside(attempt: Attempt): Attempt | undefined {
    return this.#attempts.find((one) => one !== attempt);
  }

  #drop(attempt: Attempt, why: TryFailure | 'slower' | number): void {
    this.#attempts = this.#attempts.filter((one) => one !== attempt);
    attempt.try?.abort();
    this.#hedge.over(attempt === this.#first ? 'first' : 'copy', why);
  }

  informational(attempt: Attempt, status: number, headers: readonly string[]): void {
    if (attempt === this.#attempts[0]) this.handler.informational(status, headers);
  }

  head(attempt: Attempt, status: number, headers: readonly string[], ended: boolean): void {
    const other = this.#beside(attempt);
    if (other && !this.#hedge.isGood(status)) return this.#drop(attempt, status);
    if (other) this.#drop(other, 'slower');
    this.#deadline.cancel();
    this.handler.head(status, headers, ended);
  }

  failed(attempt: Attempt, failure: TryFailure): void {
    if (this.#beside(attempt)) return this.#drop(attempt, failure);
    this.#deadline.cancel();
    this.handler.failed(failure);
  }

  write(): boolean {
    throw new Error('a hedged request has no body');
  }

  end(): void {
    // Each attempt ended with its head.
  }

  consumed(bytes: number): void {
    this.#attempts[0]?.try?.consumed(bytes);
  }

  abort(): void {
    this.#deadline.cancel();
    const [one, copy] = this.#attempts;
    if (copy) this.#drop(copy, 'slower');
    one?.try?.abort();
  }
}

class Attempt implements TryHandler {
  readonly #both: HedgedTry;
  try: Try | undefined;

  constructor(both: HedgedTry) {
    this.#both = both;
  }

  get client(): string {
    return this.#both.handler.client ?? '';
  }

  get share(): string | undefined {
    return this.#both.handler.share;
  }

  informational(status: number, headers: readonly string[]): void {
    this.#both.informational(this, status, headers);
  }

  head(status: number, headers: readonly string[], ended: boolean): void {
    this.#both.head(this, status, headers, ended);
  }

  data(...[buffer, start, end, ended]: Parameters<TryHandler['data']>): void {
    this.#both.handler.data(buffer, start, end, ended);
  }

  paused(): void {
    this.#both.handler.paused?.();
  }

  ended(trailers: readonly string[] | undefined): void {
    this.#both.handler.ended(trailers);
  }

  failed(failure: TryFailure): void {
    this.#both.failed(this, failure);
  }

  drained(): void {
    // Nothing is written.
  }
}
