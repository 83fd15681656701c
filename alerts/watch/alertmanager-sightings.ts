/** Polls a real Alertmanager for what it does with firing alerts, because it forgets alerts that ended. */
import type { Clock, Timer } from '../../base/clock.js';
import type { AlertmanagerApi, AmAlert } from '../routing/alertmanager-api.js';
import { type OwnRoutes, seenOf } from './own-routes.js';
import type { Seen, Sightings } from './standing.js';

const everyMs = 500;

export class AlertmanagerSightings {
  readonly #timer: Timer;
  #busy = false;

  /** `routes` give the muting time interval, which Alertmanager before 0.28 does not report. */
  constructor(
    api: AlertmanagerApi,
    sightings: Sightings,
    routes: OwnRoutes | undefined,
    clock: Clock,
    onAlerts: (alerts: readonly AmAlert[]) => void = () => undefined,
  ) {
    this.#timer = clock.every(everyMs, () => {
      if (this.#busy) return;
      this.#busy = true;
      // Another check reports an Alertmanager that does not answer.
      api
        .alerts()
        .then(
          (alerts) => {
            sightings.see(seenIn(alerts, routes), clock.nowMs());
            onAlerts(alerts);
          },
          () => undefined,
        )
        .finally(() => (this.#busy = false));
    });
  }

  stop(): void {
    this.#timer.cancel();
  }
}

function seenIn(alerts: readonly AmAlert[], routes: OwnRoutes | undefined): Seen[] {
  const byFingerprint = new Map(alerts.map((a) => [a.fingerprint, a.labels]));
  const firing = alerts.map(({ labels }) => ({ labels }));
  return alerts.map(({ labels, status, receivers }): Seen => {
    const decided = routes && seenOf(routes.decide(labels, firing));
    const by = byFingerprint.get(status.inhibitedBy[0] ?? '')?.alertname ?? 'another alert';
    return {
      labels,
      receivers: receivers.map((r) => r.name),
      ...(status.inhibitedBy.length > 0 && { inhibitedBy: decided?.inhibitedBy ?? by }),
      ...(status.silencedBy.length > 0 && {
        silencedBy: decided?.silencedBy ?? `silence ${status.silencedBy[0]}`,
      }),
      ...(decided?.mutedBy && { mutedBy: decided.mutedBy }),
      ...(decided?.waitMs && { waitMs: decided.waitMs }),
    };
  });
}
