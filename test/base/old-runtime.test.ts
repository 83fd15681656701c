import { expect, test } from 'vitest';
import { oldRuntimeWarning } from '../../base/old-runtime.js';

test('a Node past its end of life is named in one line, and no other', () => {
  const said = oldRuntimeWarning('20.18.0');
  expect(said).toMatch(/^Node 20 is past its end of life[^\n]*Node 24[^\n]*$/);
  for (const version of ['22.1.0', '24.0.0', '26.1.0']) {
    expect(oldRuntimeWarning(version)).toBeUndefined();
  }
});
