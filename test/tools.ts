/** Real programs in tests: a test whose program is missing is skipped with the reason, and fails under CI=true. */
import { test } from 'vitest';
import { findTool, type ToolName } from '../base/tools.js';

/** `testWith('prometheus')('rules load', ...)`. */
export function testWith(...names: ToolName[]): typeof test | typeof test.skip {
  const missing = names.filter((name) => findTool(name) === undefined);
  if (missing.length === 0) return test;
  if (process.env.CI !== 'true') return test.skip;
  return ((title: string) =>
    test(title, () => {
      throw new Error(
        `${missing.join(', ')} not found: firedrill tools install ${missing.join(' ')}`,
      );
    })) as unknown as typeof test;
}
