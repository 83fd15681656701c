/** Functions of histograms, classic and native. */
import type { VectorFunction } from './vector-functions.js';

export const histogramFunctions: Record<string, VectorFunction> = {};
