/**
 * How a value changes if rules run at a time scale s on a system that runs in real time: a rate per second stays the
 * same; an increase over a range is multiplied by s, because the range is.
 */

export type Quantity =
  /** The same in every evaluation: a threshold, a factor. */
  | { kind: 'constant'; value: number }
  /** Proportional to s to this power: 0 for rates, ratios and gauges, 1 for increases, -1 for slopes. */
  | {
      kind: 'power';
      power: number;
      /** The value is a number of samples or changes in a range, which the scale does not determine. */
      counts?: 'samples' | 'changes';
      /** Ranges of the rates in it, in seconds; a factor equal to one of them stands for that range. */
      rangeSeconds?: readonly number[];
    }
  /** Seconds since 1970; `known` if they come from this process's clock and not from a metric of the system. */
  | { kind: 'moment'; known: boolean }
  /** Seconds between two moments, at least one of which comes from the system. */
  | { kind: 'age' };

export const power = (of: number): Quantity => ({ kind: 'power', power: of });

/** The power of a quantity for comparisons; 0 for ages and moments, whose power is not known. */
export const powerOf = (quantity: Quantity): number =>
  quantity.kind === 'power' ? quantity.power : 0;

/** The quantity that a metric's name indicates. */
export function quantityOfName(name: string | undefined): Quantity {
  if (name === 'ALERTS_FOR_STATE') return { kind: 'moment', known: true };
  if (name !== undefined && /_(timestamp|time)(_seconds)?$|_not_(after|before)$/.test(name)) {
    return { kind: 'moment', known: false };
  }
  return power(0);
}

export const isCounterName = (name: string | undefined): boolean =>
  name !== undefined && /_(total|count|sum|bucket)$/.test(name);
