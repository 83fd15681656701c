/** Watches the abort conditions while a fault is active; a condition without data counts as bad. */
import type { Clock } from '../../base/clock.js';
import type { AbortCondition } from '../scenarios/schema.js';
import { clientValue, exprText, type Sources, type Stretch, valueOf } from './measure.js';

/** A client's measure covers this much of the past, in real milliseconds. */
const windowMs = 2000;
/** Longer than the client's own timeout of five seconds. */
const clientSilenceMs = 7000;

/** The last reading of a condition. */
export interface AbortReading {
  condition: string;
  /** Undefined if there is no data. */
  value: number | undefined;
  above: number | undefined;
  below: number | undefined;
  /** Real milliseconds: how long the condition has held, and how long it must hold to abort. */
  heldMs: number;
  forMs: number;
}

export class AbortWatch {
  readonly #conditions: readonly { condition: AbortCondition; forMs: number }[];
  readonly #since = new Map<string, number>();
  readonly #clock: Clock;
  readonly #sources: Sources;
  /** The reading of each evaluated condition, by the condition's name. */
  readonly readings = new Map<string, AbortReading>();

  /** `scale` converts nominal durations to real ones. */
  constructor(
    conditions: readonly AbortCondition[],
    scale: number,
    clock: Clock,
    sources: Sources,
  ) {
    this.#conditions = conditions.map((condition) => ({ condition, forMs: condition.for * scale }));
    this.#clock = clock;
    this.#sources = sources;
  }

  /** Evaluates the conditions; returns a text on the first one that has held for long enough. Called repeatedly. */
  async tripped(): Promise<string | undefined> {
    const nowMs = this.#clock.nowMs();
    const stretch = { startMs: nowMs - windowMs, endMs: nowMs };
    for (const { condition, forMs } of this.#conditions) {
      const value = await this.#valueOf(condition, stretch).catch(() => undefined);
      const bad =
        value === undefined
          ? condition.noData === 'abort'
          : (condition.above !== undefined && value > condition.above) ||
            (condition.below !== undefined && value < condition.below);
      // A single late scrape or flush is no loss of data, and a client whose requests hang reports nothing before they
      // time out.
      const silenceMs = condition.client === undefined ? windowMs : clientSilenceMs;
      const neededMs = value === undefined ? Math.max(forMs, silenceMs) : forMs;
      const since = bad ? (this.#since.get(condition.name) ?? nowMs) : undefined;
      const { name, above, below } = condition;
      const heldMs = since === undefined ? 0 : nowMs - since;
      this.readings.set(name, { condition: name, value, above, below, heldMs, forMs: neededMs });
      if (since === undefined) {
        this.#since.delete(name);
        continue;
      }
      this.#since.set(name, since);
      if (heldMs < neededMs) continue;
      if (value === undefined) return `${condition.name}: no data of ${exprText(condition)}`;
      const bound =
        condition.above === undefined ? `below ${condition.below}` : `above ${condition.above}`;
      return `${condition.name}: ${exprText(condition)} is ${round(value)}, ${bound}`;
    }
    return undefined;
  }

  /**
   * A client's value covers the requests that ended in the stretch: a request longer than the stretch is never in it by
   * its beginning.
   */
  #valueOf(condition: AbortCondition, stretch: Stretch): Promise<number | undefined> {
    const { client, route } = condition;
    if (client === undefined) return valueOf(condition, stretch, this.#sources);
    const points = this.#sources.points.endedBetween(stretch.startMs, stretch.endMs, route);
    return Promise.resolve(clientValue(client, points, stretch));
  }
}

const round = (value: number): number => Number(value.toPrecision(4));
