/** Every function over a range, by name. */
import type { RangeFunction } from '../engine/range-call.js';
import { overTimeFunctions } from './over-time.js';
import { rateFunctions } from './rates.js';
import { trendFunctions } from './trends.js';

export const rangeFunctions: Readonly<Record<string, RangeFunction>> = {
  ...overTimeFunctions,
  ...rateFunctions,
  ...trendFunctions,
};
