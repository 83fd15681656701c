/**
 * Alerts that must fire by their rules without a notification, because another alert inhibits them or a silence of
 * production covers them. A hidden alert is then the wanted finding, and a notification is the failure.
 */
import type { ExpectationRecord, OutcomeRecord } from '../../runbooks/record.js';
import type { Expected } from '../scenarios/schema.js';
import { matches } from './firings.js';
import type { Sighting } from './sightings.js';

export type Withheld = NonNullable<ExpectationRecord['withheld']>;

export function withheldOf({ inhibitedBy, silencedBy }: Expected): Withheld | undefined {
  if (inhibitedBy !== undefined) return { how: 'inhibited', by: inhibitedBy };
  return silencedBy === undefined ? undefined : { how: 'silenced', by: silencedBy };
}

/** The first alert with these labels that fired after the injection, regardless of notifications. */
export function firedSighting(
  wanted: Expected,
  sightings: readonly Sighting[],
  injectedMs: number | undefined,
): (Sighting & { firingAtMs: number }) | undefined {
  if (injectedMs === undefined) return undefined;
  const own = sightings.filter(
    (s): s is Sighting & { firingAtMs: number } =>
      s.firingAtMs !== undefined &&
      (s.activeAtMs ?? s.firingAtMs) >= injectedMs &&
      (s.labels.severity ?? 'none') === wanted.severity &&
      matches({ name: s.labels.alertname ?? '', labels: s.labels }, wanted),
  );
  return own.toSorted((a, b) => a.firingAtMs - b.firingAtMs)[0];
}

/** Whether the sighting says that the wanted alert or silence hides it. */
export const isWithheld = ({ standing }: Sighting, { how, by }: Withheld): boolean =>
  standing?.state === how && isBy(standing.by ?? '', how, by);

/** Matches `MeshControlPlaneDown (inhibit rule 2)` by name; matches a silence by a part of its comment. */
const isBy = (said: string, how: Withheld['how'], by: string): boolean =>
  how === 'inhibited' ? said === by || said.startsWith(`${by} `) : said.includes(by);

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/**
 * All times count from the confirmation. The alert or silence that hides it may end first: a notification after the
 * rollback is reported and is no failure. Undefined if neither a notification nor a hiding alert or silence was seen;
 * the usual rules for alerts then apply.
 */
export function withheldOutcome(
  { how, by }: Withheld,
  sighting: Sighting | undefined,
  after: {
    deadlineMs: number;
    firedMs: number | undefined;
    receivedMs: number | undefined;
    rollbackEndMs: number | undefined;
  },
): OutcomeRecord | undefined {
  const { deadlineMs, firedMs, receivedMs, rollbackEndMs = Infinity } = after;
  if (receivedMs !== undefined && receivedMs <= rollbackEndMs) {
    const verb = how === 'inhibited' ? 'inhibit' : 'silence';
    const text = `was notified after ${seconds(receivedMs)}, though ${by} must ${verb} it`;
    return { kind: 'not-withheld', text };
  }
  if (!sighting || sighting.standing?.state !== how) return undefined;
  const said = sighting.standing.by ?? 'another';
  if (!isBy(said, how, by)) {
    return { kind: how, text: `fired and was ${how} by ${said}, expected ${by}`, certain: true };
  }
  if (firedMs === undefined || firedMs <= deadlineMs) {
    const when = firedMs === undefined ? '' : ` after ${seconds(firedMs)}`;
    const later =
      receivedMs === undefined
        ? ''
        : `; it went on, and was notified ${seconds(receivedMs - rollbackEndMs)} after the rollback`;
    return { kind: how, text: `fired${when} and was ${how} by ${said}, as it must be${later}` };
  }
  const deadline = `its deadline of ${seconds(deadlineMs)}`;
  return {
    kind: 'late',
    text: `fired after ${seconds(firedMs)}, later than ${deadline}, and was ${how} by ${said}`,
  };
}
