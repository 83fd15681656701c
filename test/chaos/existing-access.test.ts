/** The token of a drill's file goes to the server that the file names, and to no other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { existingOf } from '../../chaos/gameday/existing.js';
import type { Drill } from '../../chaos/system/drill-file.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-access-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'token'), 'secret\n');
writeFileSync(join(folder, 'other'), 'other\n');

const named = (url: string) => ({ url, bearerFile: 'token' });
const drill = {
  folder,
  watch: { prometheus: named('https://prom.example'), alertmanager: named('https://am.example') },
} as unknown as Drill;

test.each<[string, Parameters<typeof existingOf>[0], unknown[]]>([
  ['as in the file', { prometheus: 'auto' }, ['secret', 'secret']],
  ['another path', { prometheus: 'https://prom.example/tenant' }, ['secret', 'secret']],
  ['another Prometheus', { prometheus: 'https://prom.elsewhere' }, [undefined, 'secret']],
  ['without TLS', { prometheus: 'http://prom.example' }, [undefined, 'secret']],
  [
    'another Alertmanager',
    { prometheus: 'auto', alertmanager: 'https://am.example:9093' },
    ['secret', undefined],
  ],
  [
    'a token beside the address',
    { prometheus: 'https://prom.elsewhere', bearerFile: join(folder, 'other') },
    ['other', 'other'],
  ],
])('%s', (_, given, tokens) => {
  const found = existingOf(given, drill);
  expect([found?.prometheus.bearer, found?.alertmanager?.bearer]).toEqual(tokens);
});
