/** Reads samples with times in the OpenMetrics or Prometheus text format. */
import { UserError } from '../../../base/errors.js';
import type { MemoryStore } from '../store/store.js';
import { parseGoFloat } from '../syntax/literals.js';
import { parseMetric } from '../testing/series-values.js';

const sample = /^\s*(\S+)(?:\s+(\S+))?(?:\s+#.*)?\s*$/;

/**
 * Returns the number of samples. Times are seconds in OpenMetrics, which ends with `# EOF`, and milliseconds in
 * Prometheus's own format. A line without a time is an error, because no query could use it.
 */
export function readOpenMetrics(file: string, text: string, store: MemoryStore): number {
  const seconds = /^#\s*EOF\s*$/m.test(text);
  let count = 0;
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const place = { file, line: i + 1, column: 1 };
    let parsed: ReturnType<typeof parseMetric>;
    try {
      parsed = parseMetric(line);
    } catch (error) {
      throw new UserError({ place, message: (error as Error).message, expected: 'a sample' });
    }
    const match = sample.exec(parsed.rest);
    const value = parseGoFloat(match?.[1] ?? '');
    const time = parseGoFloat(match?.[2] ?? '');
    if (value === undefined || time === undefined || !Number.isFinite(time)) {
      throw new UserError({
        place,
        message: `cannot read '${parsed.rest.trim()}'`,
        expected: 'a value and a time',
      });
    }
    store.append(parsed.labels, Math.round(seconds ? time * 1000 : time), value);
    count++;
  });
  return count;
}
