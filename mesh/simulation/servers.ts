/**
 * Servers as queues: workers serve one request each, other requests wait, and requests beyond the queue are refused.
 */
import type { Random } from '../../base/random.js';
import type { EventClock } from './event-clock.js';
import type { Incident, IncidentStep, ServerSpec } from './spec.js';

/** The result of an attempt: a status, a refused connection, or no answer. */
export type Reply = { kind: 'answer'; status: number } | { kind: 'refused' } | { kind: 'none' };

/** Connecting and the round trip. */
const networkMs = 0.5;

const usual: ServerSpec = { endpoint: '*', service: 10, workers: 10, queue: 100 };

export class SimulatedServer {
  readonly #clock: EventClock;
  readonly #random: Random;
  readonly #spec: ServerSpec;
  readonly #steps: readonly IncidentStep[];
  #busy = 0;
  readonly #queue: (() => void)[] = [];
  #head = 0;

  constructor(
    address: string,
    { servers, incident }: Pick<Incident, 'servers' | 'incident'>,
    parts: { clock: EventClock; random: Random },
  ) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    const names = ({ endpoint }: { endpoint: string }): boolean =>
      endpoint === '*' || endpoint === address;
    this.#spec = servers.filter(names).at(-1) ?? usual;
    this.#steps = incident.filter(names);
  }

  /** Takes a request; `done` is called at most once, never for a server that hangs. */
  serve(done: (reply: Reply) => void): void {
    const { refuse, hang } = this.#now();
    if (refuse) return void this.#clock.after(networkMs, () => done({ kind: 'refused' }));
    if (hang) return;
    const start = (): void => this.#start(done);
    if (this.#busy < this.#now().workers) start();
    else if (this.#queue.length - this.#head < this.#spec.queue) this.#queue.push(start);
    else this.#clock.after(networkMs, () => done({ kind: 'answer', status: 503 }));
  }

  #start(done: (reply: Reply) => void): void {
    this.#busy++;
    const { serviceMs, failRatio, status } = this.#now();
    const tookMs = -Math.log(1 - this.#random.next()) * serviceMs;
    const fails = failRatio > 0 && this.#random.next() < failRatio;
    this.#clock.after(networkMs + tookMs, () => {
      this.#busy--;
      done({ kind: 'answer', status: fails ? status : 200 });
      this.#next();
    });
  }

  #next(): void {
    while (this.#busy < this.#now().workers && this.#head < this.#queue.length) {
      const start = this.#queue[this.#head] as () => void;
      this.#head++;
      if (this.#head > 1000 && this.#head * 2 > this.#queue.length) {
        this.#queue.splice(0, this.#head);
        this.#head = 0;
      }
      start();
    }
  }

  /** The server's behaviour now; of overlapping steps the later one in the file applies. */
  #now() {
    const nowMs = this.#clock.monotonicMs();
    let { service: serviceMs, workers } = this.#spec;
    let failRatio = 0;
    let status = 503;
    let refuse = false;
    let hang = false;
    for (const step of this.#steps) {
      if (nowMs < step.from || nowMs >= step.to) continue;
      serviceMs = step.service ?? serviceMs;
      workers = step.workers ?? workers;
      if (step.failRatio > 0) ({ failRatio, status } = step);
      refuse ||= step.refuse;
      hang ||= step.hang;
    }
    return { serviceMs, workers, failRatio, status, refuse, hang };
  }
}
