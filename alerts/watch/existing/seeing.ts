/** Turns the firing alerts of an API into notifications: one when an alert is first seen, and one when it ends. */
import type { Clock } from '../../../base/clock.js';
import type { AlertmanagerApi } from '../../routing/alertmanager-api.js';
import type { ActiveAlert, Notification } from '../model.js';
import type { Receiver } from '../receiver.js';

interface Shown {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAtMs: number;
  /** The receiver that is notified; undefined where it is not known. */
  receiver?: string;
}

export class Seeing {
  readonly #api: AlertmanagerApi | undefined;
  readonly #active: () => Promise<ActiveAlert[]>;
  readonly #receiver: Pick<Receiver, 'take'>;
  readonly #clock: Clock;
  #open = new Map<string, Shown>();
  #busy = false;

  /** Polls Alertmanager if its API is given; otherwise Prometheus's own alerts. */
  constructor(
    api: AlertmanagerApi | undefined,
    active: () => Promise<ActiveAlert[]>,
    receiver: Pick<Receiver, 'take'>,
    clock: Clock,
  ) {
    this.#api = api;
    this.#active = active;
    this.#receiver = receiver;
    this.#clock = clock;
  }

  /** Never rejects; an API that does not answer changes nothing. */
  async look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const shown = await (this.#api ? this.#byAlertmanager(this.#api) : this.#byPrometheus());
      this.#tell(new Map(shown.map((s) => [keyOf(s), s])));
    } catch {
      // Another check reports an API that does not answer.
    } finally {
      this.#busy = false;
    }
  }

  #tell(now: Map<string, Shown>): void {
    const nowMs = this.#clock.nowMs();
    for (const [key, shown] of now) {
      if (!this.#open.has(key)) this.#say(shown, 'firing', nowMs);
    }
    for (const [key, shown] of this.#open) {
      if (!now.has(key)) this.#say(shown, 'resolved', nowMs);
    }
    this.#open = now;
  }

  #say({ receiver, ...alert }: Shown, status: Notification['status'], nowMs: number): void {
    const whole = { ...alert, status, ...(status === 'resolved' && { endsAtMs: nowMs }) };
    const via = receiver === undefined ? {} : { receiver };
    this.#receiver.take({ alerts: [whole], via }, nowMs);
  }

  async #byAlertmanager(api: AlertmanagerApi): Promise<Shown[]> {
    const alerts = await api.alerts();
    return alerts
      .filter(({ status }) => status.state === 'active')
      .flatMap(({ labels, annotations = {}, startsAt, receivers }) =>
        receivers.map(({ name: receiver }) => {
          return { labels, annotations, startsAtMs: Date.parse(startsAt), receiver };
        }),
      );
  }

  async #byPrometheus(): Promise<Shown[]> {
    return (await this.#active())
      .filter(({ state }) => state === 'firing')
      .map(({ labels, annotations, activeAtMs }) => {
        return { labels, annotations, startsAtMs: activeAtMs };
      });
  }
}

const keyOf = ({ labels, receiver, startsAtMs }: Shown): string =>
  JSON.stringify([receiver, startsAtMs, Object.entries(labels).sort()]);
