/**
 * Alerts that must fire by their rules and of which nobody must be notified: another alert inhibits them, or a silence
 * of production does. That they are hidden is then the finding that was wanted, and a notification is the failure.
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

/** The first one of these labels that fired after the injection, whoever was told. */
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

/** Whether what was said of it is that the wanted one hides it. */
export const isWithheld = ({ standing }: Sighting, { how, by }: Withheld): boolean =>
  standing?.state === how && isBy(standing.by ?? '', how, by);

/** `MeshControlPlaneDown (inhibit rule 2)`; of a silence, a part of its comment. */
const isBy = (said: string, how: Withheld['how'], by: string): boolean =>
  how === 'inhibited' ? said === by || said.startsWith(`${by} `) : said.includes(by);

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/**
 * All times count from the confirmation. What hides it may be over before it is: a notification after the rollback is
 * told, and is no failure. Undefined where neither a notification nor what hides it was seen: then it is as with any
 * other alert.
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
