/** Simulated time for whole drills: whoever waits moves the clock, and requests are answered by a call. */
import { setImmediate } from 'node:timers/promises';
import { SimulatedClock } from '../../base/clock.js';

/** The simulated milliseconds between two looks at what is ready to run. */
const stepMs = 5;

export class DrillClock extends SimulatedClock {
  /** Moves the clock until the time is over; whatever became ready runs first. */
  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    const endMs = this.nowMs() + delayMs;
    do {
      await setImmediate();
      if (signal?.aborted) return;
      this.advance(Math.max(0, Math.min(stepMs, endMs - this.nowMs())));
    } while (this.nowMs() < endMs);
    await setImmediate();
  }
}

/** The status and the JSON of an answer; throws as a connection that is refused. */
export type Handler = (url: string, method: string, body: string) => [number, unknown];

const handlers = new Map<string, Handler>();
const real = globalThis.fetch;
let count = 0;

const answered: typeof fetch = (url, options = {}) => {
  const text = String(url instanceof Request ? url.url : url);
  const handler = handlers.get(new URL(text).origin);
  if (!handler) return real(url, options);
  try {
    const body = typeof options.body === 'string' ? options.body : '';
    const [status, value] = handler(text, options.method ?? 'GET', body);
    return Promise.resolve(new Response(JSON.stringify(value), { status }));
  } catch (error) {
    return Promise.reject(error as Error);
  }
};

/** An address at which `fetch` is answered by a call, until it is closed. */
export function answerAt(handler: Handler): { admin: string; close(): void } {
  const admin = `http://cart-${++count}.example`;
  handlers.set(admin, handler);
  globalThis.fetch = answered;
  const close = (): void => {
    handlers.delete(admin);
    if (handlers.size === 0) globalThis.fetch = real;
  };
  return { admin, close };
}
