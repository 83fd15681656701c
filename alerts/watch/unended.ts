/** Alerts that were notified and whose end was not; the rules show whether they ended. */
import type { MarkedAlert } from './marker.js';
import type { ActiveAlert } from './model.js';

interface Open {
  alert: MarkedAlert;
  /** Since when the alert is missing among the rules' active alerts. */
  missingMs?: number;
}

const openMax = 10_000;

const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

export class Unended {
  readonly #open = new Map<string, Open>();

  get size(): number {
    return this.#open.size;
  }

  told(alert: MarkedAlert): void {
    const key = keyOf(alert.labels);
    if (alert.status === 'resolved') this.#open.delete(key);
    else if (this.#open.size < openMax) this.#open.set(key, { alert });
  }

  /** Alerts missing for at least `graceMs`, each once; until then their receiver may still be notified. */
  ended(
    active: readonly Pick<ActiveAlert, 'labels'>[],
    nowMs: number,
    graceMs: number,
  ): { alert: MarkedAlert; endedMs: number }[] {
    const ended: { alert: MarkedAlert; endedMs: number }[] = [];
    for (const [key, open] of this.#open) {
      if (active.some((a) => isPart(a.labels, open.alert.labels))) {
        delete open.missingMs;
        continue;
      }
      open.missingMs ??= nowMs;
      if (nowMs - open.missingMs < graceMs) continue;
      ended.push({ alert: open.alert, endedMs: open.missingMs });
      this.#open.delete(key);
    }
    return ended;
  }
}

/** The notified labels also contain the external labels. */
const isPart = (
  some: Readonly<Record<string, string>>,
  all: Readonly<Record<string, string>>,
): boolean => Object.entries(some).every(([name, value]) => all[name] === value);
