/**
 * Watches the progress of expected alerts in the rules: pending, firing, and the reason why no receiver was notified of
 * a firing one. Short-lived states are kept.
 */
import { messageOf } from '../../base/errors.js';
import type { ActiveAlert, Standing, Watch } from '../../alerts/watch/index.js';

export interface Sighting {
  /** Includes `alertname` and `severity`. */
  labels: Record<string, string>;
  /** The time when the condition began to hold. */
  activeAtMs?: number;
  /** The same of each stretch in which it held, oldest first: a condition may hold, end, and hold again. */
  startsMs?: number[];
  /** The same, of an alert that was seen pending. */
  pendingAtMs?: number;
  firingAtMs?: number;
  lastSeenMs: number;
  /** The time when the alert was no longer seen; absent while it is seen. */
  endedAtMs?: number;
  /** The last state of a firing alert before its notification. */
  standing?: Standing;
}

/** Limit for alerts of one name with different labels: more of them add no information. */
const sightingsMax = 200;
const standingsAtOnce = 5;
/** Limit for the stretches of one alert that comes and goes. */
const startsMax = 1000;

const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

const hides = (standing?: Standing): boolean =>
  standing?.state === 'inhibited' || standing?.state === 'silenced';

/**
 * A later state of an alert that is over adds nothing, and an alert that was hidden stays so, even if the alert that
 * hid it ends first.
 */
const tellsMore = (before: Standing | undefined, now: Standing): boolean =>
  !['inactive', 'pending', 'no-rule'].includes(now.state) && (!hides(before) || hides(now));

export class Sightings {
  readonly #watch: Watch;
  readonly #names: ReadonlySet<string>;
  readonly #receivers: ReadonlyMap<string, string>;
  readonly #seen = new Map<string, Sighting>();
  #looking: Promise<void> | undefined;
  /** The reason, at the last query, why nobody would have been notified. */
  trouble: string | undefined;

  constructor(watch: Watch, expected: readonly { alert: string; receiver?: string | undefined }[]) {
    this.#watch = watch;
    this.#names = new Set(expected.map((e) => e.alert));
    this.#receivers = new Map(
      expected.flatMap((e) => (e.receiver === undefined ? [] : [[e.alert, e.receiver] as const])),
    );
  }

  get all(): Sighting[] {
    return [...this.#seen.values()];
  }

  /**
   * Never throws: a failed query is recorded as trouble. Only one query runs at a time, so that slow answers do not
   * pile up.
   */
  look(nowMs: number): Promise<void> {
    this.#looking ??= this.#look(nowMs).finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(nowMs: number): Promise<void> {
    try {
      const alerts = await this.#watch.alerts();
      this.trouble = await this.#watch.trouble?.();
      for (const alert of alerts) this.#see(alert, nowMs);
      this.#end(nowMs);
      await this.#ask();
    } catch (error) {
      this.trouble = messageOf(error);
    }
  }

  #see({ state, labels, activeAtMs }: ActiveAlert, nowMs: number): void {
    if (!this.#names.has(labels.alertname ?? '')) return;
    const key = keyOf(labels);
    const seen = this.#seen.get(key) ?? { labels, lastSeenMs: nowMs };
    if (!this.#seen.has(key)) {
      if (this.#seen.size >= sightingsMax) return;
      this.#seen.set(key, seen);
    }
    seen.lastSeenMs = nowMs;
    seen.activeAtMs ??= activeAtMs;
    const starts = (seen.startsMs ??= []);
    if (starts.at(-1) !== activeAtMs && starts.length < startsMax) starts.push(activeAtMs);
    delete seen.endedAtMs;
    if (state === 'pending') seen.pendingAtMs ??= activeAtMs;
    else seen.firingAtMs ??= nowMs;
  }

  #end(nowMs: number): void {
    for (const seen of this.#seen.values()) {
      if (seen.lastSeenMs !== nowMs) seen.endedAtMs ??= nowMs;
    }
  }

  async #ask(): Promise<void> {
    if (!this.#watch.standing) return;
    const open = this.all.filter(
      (s) => s.firingAtMs !== undefined && s.standing?.state !== 'notified',
    );
    for (const sighting of open.slice(0, standingsAtOnce)) {
      const receiver = this.#receivers.get(sighting.labels.alertname ?? '');
      const standing = await this.#watch.standing(sighting.labels, receiver);
      if (tellsMore(sighting.standing, standing)) sighting.standing = standing;
      // The rules' own history is more exact than a query that came a moment later.
      const { firedAtMs } = standing;
      const { activeAtMs, firingAtMs } = sighting;
      if (firedAtMs !== undefined && firedAtMs >= (activeAtMs ?? firedAtMs)) {
        sighting.firingAtMs = Math.min(firingAtMs ?? firedAtMs, firedAtMs);
      }
    }
  }
}
