/** Sends alerts to Alertmanagers as Prometheus does: at once, repeatedly, and resolved ones for 15 minutes. */
import { splitAddress } from '../../../base/access.js';
import { whyUnanswered } from '../../../base/errors.js';
import type { Alert } from '../../rules/alerting.js';
import type { Evaluated } from './rule-loop.js';

export interface SenderOptions {
  /** Base addresses: `http://localhost:9093`. */
  urls: readonly string[];
  /** Minimum time before a firing alert is sent again, in milliseconds. */
  resendMs: number;
  externalLabels: Readonly<Record<string, string>>;
  externalUrl: string;
  post?: (url: string, body: string) => Promise<void>;
  say: (line: string) => void;
}

interface Posted {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  generatorURL: string;
}

/**
 * Maximum number of alerts that wait for an Alertmanager; the oldest are dropped, because newer ones are up to date.
 */
const queueMax = 10_000;
const batchMax = 256;
const closeMaxMs = 10_000;
/** An alert expires after this many intervals without a repetition, so that two lost ones do not end it. */
const intervalsOfLife = 4;

export class AlertSender {
  readonly #options: SenderOptions;
  readonly #lastSent = new WeakMap<Alert, number>();
  readonly #queues: Queue[];

  constructor(options: SenderOptions) {
    this.#options = options;
    const { post = postOverHttp, say } = options;
    this.#queues = options.urls.map(
      (url) => new Queue(`${url.replace(/\/+$/, '')}/api/v2/alerts`, post, say),
    );
  }

  get urls(): readonly string[] {
    return this.#queues.map((q) => q.url);
  }

  get dropped(): number {
    return this.#queues.reduce((sum, q) => sum + q.dropped, 0);
  }

  /** Sends the alerts that are due after an evaluation at `timeMs`. */
  take(group: Evaluated, timeMs: number): void {
    if (this.#queues.length === 0) return;
    const { externalLabels, externalUrl, resendMs } = this.#options;
    const posted: Posted[] = [];
    for (const rule of group.state.alerting) {
      const query = encodeURIComponent(rule.rule.expr);
      for (const alert of rule.all()) {
        if (!this.#isDue(alert, timeMs)) continue;
        this.#lastSent.set(alert, timeMs);
        const untilMs = timeMs + intervalsOfLife * Math.max(group.intervalMs, resendMs);
        posted.push({
          labels: { ...externalLabels, ...alert.labels.toObject() },
          annotations: alert.annotations,
          startsAt: new Date(alert.firedAtMs ?? timeMs).toISOString(),
          endsAt: new Date(alert.resolvedAtMs ?? untilMs).toISOString(),
          generatorURL: `${externalUrl}/graph?g0.expr=${query}&g0.tab=1`,
        });
      }
    }
    if (posted.length > 0) for (const queue of this.#queues) queue.add(posted);
  }

  /** Sends the alerts that wait, for at most ten seconds and one request; an Alertmanager that fails gets no more. */
  async close(): Promise<void> {
    await Promise.all(this.#queues.map((q) => q.close()));
  }

  #isDue(alert: Alert, timeMs: number): boolean {
    if (alert.state === 'pending' || alert.firedAtMs === undefined) return false;
    const lastMs = this.#lastSent.get(alert);
    if (lastMs === undefined) return true;
    if (alert.resolvedAtMs !== undefined && alert.resolvedAtMs > lastMs) return true;
    return lastMs + this.#options.resendMs < timeMs;
  }
}

/** Sends to one Alertmanager, one request at a time, so that a slow one gets alerts late but in order. */
class Queue {
  /** Without a password: it is told, and shown at /api/v1/alertmanagers. */
  readonly url: string;
  readonly #address: string;
  dropped = 0;
  readonly #post: (url: string, body: string) => Promise<void>;
  readonly #say: (line: string) => void;
  #waiting: Posted[] = [];
  #running: Promise<void> | undefined;
  #lastError = '';
  /** Set when the queue closes. */
  #until: AbortSignal | undefined;

  constructor(
    url: string,
    post: (url: string, body: string) => Promise<void>,
    say: (line: string) => void,
  ) {
    this.url = splitAddress(url).url;
    this.#address = url;
    this.#post = post;
    this.#say = say;
  }

  add(alerts: readonly Posted[]): void {
    this.#waiting.push(...alerts);
    const excess = this.#waiting.length - queueMax;
    if (excess > 0) {
      this.#waiting.splice(0, excess);
      this.dropped += excess;
    }
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async close(): Promise<void> {
    this.#until = AbortSignal.timeout(closeMaxMs);
    while (this.#running) await this.#running;
    this.dropped += this.#waiting.length;
    this.#waiting = [];
  }

  /** A failed batch is dropped; like all firing alerts, its alerts are sent again at the next resend. */
  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#until?.aborted) {
      const batch = this.#waiting.splice(0, batchMax);
      try {
        await this.#post(this.#address, JSON.stringify(batch));
        this.#lastError = '';
      } catch (error) {
        this.dropped += batch.length;
        const text = whyUnanswered(error);
        if (text !== this.#lastError) this.#say(`${this.url}: ${text}`);
        this.#lastError = text;
        if (this.#until) break;
      }
    }
  }
}

async function postOverHttp(address: string, body: string): Promise<void> {
  const { url, authorization } = splitAddress(address);
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(authorization !== undefined && { authorization }),
    },
    body,
    signal: AbortSignal.timeout(10_000),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
}
