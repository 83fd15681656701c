/** Turns notifications into firings: each with its start, its receipt and its end. Pending alerts are not included. */
import type { Notification } from '../../alerts/watch/index.js';
import type { Firing } from '../../runbooks/record.js';

const keyOf = (labels: Record<string, string>): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Firings in the order of receipt. A second firing of the same alert is an entry of its own. */
export function firingsOf(notifications: readonly Notification[]): Firing[] {
  const firings: Firing[] = [];
  const open = new Map<string, Firing>();
  for (const n of notifications) {
    const key = keyOf(n.labels);
    const current = open.get(key);
    if (n.status === 'resolved') {
      if (current) current.resolvedAtMs = n.endsAtMs ?? n.receivedMs;
      open.delete(key);
      continue;
    }
    // A repeated notification, or one with another start because the sender lost its state: the same firing.
    if (current) {
      if (n.receiver !== undefined) (current.receipts ??= {})[n.receiver] ??= n.receivedMs;
      continue;
    }
    const firing: Firing = {
      name: n.labels.alertname ?? '',
      labels: n.labels,
      annotations: n.annotations,
      severity: n.labels.severity ?? 'none',
      firedAtMs: n.startsAtMs,
      receivedAtMs: n.receivedMs,
      ...(n.receiver !== undefined && { receipts: { [n.receiver]: n.receivedMs } }),
    };
    open.set(key, firing);
    firings.push(firing);
  }
  return firings;
}

export const matches = (
  firing: { name: string; labels: Record<string, string> },
  wanted: { alert: string; labels: Readonly<Record<string, string>> },
): boolean =>
  firing.name === wanted.alert &&
  Object.entries(wanted.labels).every(([name, value]) => firing.labels[name] === value);

/**
 * Whether a firing fulfils the expectation: severity is compared like any label, and the receiver must have been
 * notified.
 */
export const fulfils = (
  firing: Pick<Firing, 'name' | 'labels' | 'severity' | 'receipts'>,
  wanted: {
    alert: string;
    labels: Readonly<Record<string, string>>;
    severity: string;
    receiver?: string | undefined;
  },
): boolean =>
  matches(firing, wanted) &&
  firing.severity === wanted.severity &&
  (wanted.receiver === undefined || firing.receipts?.[wanted.receiver] !== undefined);

/** Whether the firing had resolved when the fault took effect: it then says nothing about the fault. */
export const isBlip = (
  { resolvedAtMs = Infinity }: Pick<Firing, 'resolvedAtMs'>,
  confirmedMs: number | undefined,
): boolean => confirmedMs !== undefined && resolvedAtMs < confirmedMs;

/** Time of the notification of the receiver that the scenario names, or of the first receiver. */
export const receivedMs = (firing: Firing, receiver: string | undefined): number =>
  (receiver === undefined ? undefined : firing.receipts?.[receiver]) ?? firing.receivedAtMs;
