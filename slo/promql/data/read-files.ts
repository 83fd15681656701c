/** Reads files of samples into one store: tables (.csv) and text formats (any other file). */
import { UserError } from '../../../base/errors.js';
import { readInput } from '../../../base/input.js';
import { MemoryStore } from '../store/store.js';
import { readCsv } from './csv.js';
import { readOpenMetrics } from './openmetrics.js';

export interface Loaded {
  readonly store: MemoryStore;
  readonly samples: number;
  /** Times of the first and the last sample. */
  readonly fromMs: number;
  readonly toMs: number;
}

export function readSampleFiles(files: readonly string[]): Loaded {
  const store = new MemoryStore();
  let samples = 0;
  for (const file of files) {
    const text = readInput(file);
    samples += file.endsWith('.csv')
      ? readCsv(file, text, store)
      : readOpenMetrics(file, text, store);
  }
  if (samples === 0) throw new UserError(`${files.join(', ')}: no samples`);
  let [fromMs, toMs] = [Infinity, -Infinity];
  for (const series of store.all()) {
    fromMs = Math.min(fromMs, series.times[0] as number);
    toMs = Math.max(toMs, series.lastMs);
  }
  return { store, samples, fromMs, toMs };
}
