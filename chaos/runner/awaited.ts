/** Counts the expected alerts that have arrived and those that still fire, so that a run knows when to stop waiting. */
import type { Notification } from '../../alerts/watch/index.js';
import type { Expected } from '../scenarios/schema.js';
import { firingsOf, fulfils, isBlip } from './firings.js';
import type { Sighting } from './sightings.js';
import { firedSighting, isWithheld, withheldOf } from './withheld.js';

export interface Awaited {
  wanted: readonly Expected[];
  injectedMs: number | undefined;
  /** When the fault took effect; undefined: it has not yet. */
  confirmedMs: number | undefined;
  notifications: readonly Notification[];
  sightings: readonly Sighting[];
}

/** Counts alerts that receivers were notified of, and alerts that are withheld as the scenario expects. */
export function cameOf({
  wanted,
  injectedMs,
  confirmedMs,
  notifications,
  sightings,
}: Awaited): number {
  const from = injectedMs ?? Infinity;
  const fresh = firingsOf(notifications).filter(
    (f) => f.firedAtMs >= from && !isBlip(f, confirmedMs),
  );
  return wanted.filter((one) => {
    const withheld = withheldOf(one);
    if (!withheld) return fresh.some((f) => fulfils(f, one));
    const sighting = firedSighting(one, sightings, injectedMs);
    return sighting !== undefined && isWithheld(sighting, withheld);
  }).length;
}

/** Counts the alerts that must resolve and still fire. */
export function unresolvedOf({ wanted, injectedMs, notifications, sightings }: Awaited): number {
  const from = injectedMs ?? Infinity;
  const ending = wanted.filter((one) => one.resolveWithin !== undefined);
  const open = firingsOf(notifications).filter(
    (f) =>
      f.firedAtMs >= from && f.resolvedAtMs === undefined && ending.some((one) => fulfils(f, one)),
  );
  const hidden = ending.filter((one) => {
    const sighting = withheldOf(one) && firedSighting(one, sightings, injectedMs);
    return sighting !== undefined && sighting.endedAtMs === undefined;
  });
  return open.length + hidden.length;
}
