/**
 * How a value changes where rules run at a time scale s on a system that runs in real time: a rate per second stays
 * what it is, an increase over a range is s times as large, because the range is.
 */

export type Quantity =
  /** The same in every evaluation: a threshold, a factor. */
  | { kind: 'constant'; value: number }
  /** Proportional to s to this power: 0 for rates, ratios and gauges, 1 for increases, -1 for slopes. */
  | {
      kind: 'power';
      power: number;
      /** It counts samples or changes within a range: how many there are no scale says. */
      counts?: 'samples' | 'changes';
      /** The seconds of the ranges that it was made over: a factor like that is a length of time. */
      rangeSeconds?: readonly number[];
    }
  /** Seconds since 1970. Those of this process's clock are known; those that a metric says are the system's own. */
  | { kind: 'moment'; known: boolean }
  /** Seconds between moments of which one is the system's own. */
  | { kind: 'age' };

export const power = (of: number): Quantity => ({ kind: 'power', power: of });

/** The power of a quantity that may be compared: of ages and moments it is not known. */
export const powerOf = (quantity: Quantity): number =>
  quantity.kind === 'power' ? quantity.power : 0;

/** What a metric's name says of itself. */
export function quantityOfName(name: string | undefined): Quantity {
  if (name === 'ALERTS_FOR_STATE') return { kind: 'moment', known: true };
  if (name !== undefined && /_(timestamp|time)(_seconds)?$|_not_(after|before)$/.test(name)) {
    return { kind: 'moment', known: false };
  }
  return power(0);
}

export const isCounterName = (name: string | undefined): boolean =>
  name !== undefined && /_(total|count|sum|bucket)$/.test(name);
