/** Every function over instant vectors and scalars, by name. */
import type { Context } from '../engine/context.js';
import type { Value } from '../engine/value.js';
import type { Call } from '../syntax/ast.js';
import { histogramFunctions } from './histograms.js';
import { labelFunctions } from './label-functions.js';
import { mathFunctions } from './math-functions.js';
import { sortFunctions } from './sorting.js';
import { timeFunctions } from './time-functions.js';
import { miscFunctions } from './scalars.js';

export type VectorFunction = (call: Call, ctx: Context) => Value;

export const vectorFunctions: Readonly<Record<string, VectorFunction>> = {
  ...mathFunctions,
  ...timeFunctions,
  ...labelFunctions,
  ...sortFunctions,
  ...histogramFunctions,
  ...miscFunctions,
};
