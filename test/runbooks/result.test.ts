/** Output for programs: result.json and JUnit, complete for any record, and record.json read back. */
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { gameDayFiles } from '../../runbooks/report/files.js';
import { gameDayJunit } from '../../runbooks/report/junit.js';
import { parseResult, resultOf } from '../../runbooks/report/result.js';
import { parseRecord, readRecord } from '../../runbooks/record-schema.js';
import { badGameDay, goodGameDay } from './fixture.js';
import { leaks, records } from './records.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-result-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the result of a late, a missing and an unexpected alert', () => {
  const result = resultOf(badGameDay());
  expect([result.verdict, result.exitCode]).toEqual(['ABORTED', 4]);
  expect(result.scenarios[0]?.expectedAlerts[2]).toEqual({
    name: 'CheckoutAvailability',
    labels: { slo: 'checkout-availability', service: 'checkout', owner: 'team-shop' },
    severity: 'page',
    deadlineSeconds: 12,
    firedAfterSeconds: 14.3,
    theoreticalSeconds: 6.8,
    theory: { earliestSeconds: 6.3, latestSeconds: 8.1, within: true },
    inTime: false,
    resolvedAfterSeconds: 7.4,
  });
  expect(result.scenarios[1]?.expectedAlerts[0]?.firedAfterSeconds).toBeNull();
  expect(result.scenarios[0]?.unexpectedAlerts.map((u) => u.name)).toEqual(['MeshClockSkew']);
  expect(result.scenarios[2]?.rollback).toEqual({
    done: false,
    leftBehind: ['payment: fault f-3 is still there'],
  });
});

test('any result reads back as it was written, and any record too', () => {
  fc.assert(
    fc.property(records, (record) => {
      const result = resultOf(record);
      const json = JSON.stringify(result);
      expect(parseResult('result.json', json)).toEqual(JSON.parse(json));
      const text = JSON.stringify(record);
      expect(parseRecord('record.json', text)).toEqual(JSON.parse(text));
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('a result with a field that is missing or unknown is named by its path', () => {
  const result = { ...resultOf(goodGameDay()), verdict: undefined, more: 1 };
  expect(() => parseResult('r.json', JSON.stringify(result))).toThrow(/r\.json: verdict: /);
  expect(() => parseResult('r.json', '{')).toThrow(/^r\.json:1:2: not JSON/);
});

/** Sufficient to check that tags are balanced and texts are escaped. */
function wellFormed(xml: string): void {
  const open: string[] = [];
  for (const [tag, closing, name, , alone] of xml
    .replace(/^<\?xml[^>]*\?>/, '')
    .matchAll(
      /<(\/?)([a-z]+)((?:\s+[a-z]+="[^"<]*")*)\s*(\/?)>|<|&(?!(?:amp|lt|gt|quot|#\d+);)/g,
    )) {
    expect(name, tag).toBeDefined();
    if (closing) expect(open.pop()).toBe(name);
    else if (!alone) open.push(name as string);
  }
  expect(open).toEqual([]);
}

test('JUnit says which alert came late', () => {
  const xml = gameDayJunit(badGameDay());
  expect(xml).toMatchSnapshot();
  expect(xml).toContain('<failure message="after 14.3 s, 2.3 s too late"/>');
});

test('JUnit is well formed for any record, and red wherever the verdict is', () => {
  fc.assert(
    fc.property(records, (record) => {
      const xml = gameDayJunit(record);
      wellFormed(xml);
      expect(xml).not.toMatch(leaks);
      const red = record.scenarios.filter((s) => s.verdict !== 'PASS').map((s) => s.id);
      expect((xml.match(/<failure|<error/g) ?? []).length).toBeGreaterThanOrEqual(
        red.length > 0 ? 1 : 0,
      );
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('all files of a game day, and the record found from any of them', () => {
  const files = gameDayFiles(goodGameDay());
  for (const name of ['index.html', 'postmortem.md', 'result.json', 'record.json', 'junit.xml']) {
    expect([...files.keys()]).toContain(name);
  }
  writeFileSync(join(folder, 'record.json'), files.get('record.json') as string);
  for (const path of [folder, join(folder, 'record.json'), join(folder, 'result.json')]) {
    expect(readRecord(path)).toEqual(goodGameDay());
  }
  expect(() => readRecord(join(folder, 'nothing.json'))).toThrow(
    /cannot be read; expected a game day's/,
  );
  expect(() => parseRecord('record.json', '{"version":2}')).toThrow(/record\.json: version: /);
});
