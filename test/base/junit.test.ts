import { expect, test } from 'vitest';
import { junitXml } from '../../base/junit.js';
import { hasUnseen, readableJson } from '../../base/unseen.js';

test('a suite of each kind of case', () => {
  const xml = junitXml(
    [
      {
        name: 'drill',
        seconds: 2,
        startedMs: Date.UTC(2026, 0, 2),
        properties: { 'pages.expected': 1 },
        cases: [
          { name: 'passed', seconds: 1, group: 'a.b' },
          { name: 'failed', seconds: 1, failures: ['late', 'wrong\nby 2 s'] },
          { name: 'in error', seconds: 0, error: 'no data' },
          { name: 'skipped', seconds: 0, skipped: 'nothing happened' },
        ],
      },
    ],
    { name: 'day', seconds: 3 },
  );
  expect(xml).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="day" tests="4" failures="1" errors="1" skipped="1" time="3.000">
  <testsuite name="drill" tests="4" failures="1" errors="1" skipped="1" time="2.000" timestamp="2026-01-02T00:00:00">
    <properties>
      <property name="pages.expected" value="1"/>
    </properties>
    <testcase classname="a.b" name="passed" time="1.000"/>
    <testcase name="failed" time="1.000">
      <failure message="late"/>
      <failure message="wrong">wrong&#10;by 2 s</failure>
    </testcase>
    <testcase name="in error" time="0.000">
      <error message="no data"/>
    </testcase>
    <testcase name="skipped" time="0.000">
      <skipped message="nothing happened"/>
    </testcase>
  </testsuite>
</testsuites>
`);
});

test('hostile names neither leave their attribute nor turn the order of reading', () => {
  const name = '"/><x>\u0000\u202egnp.exe\u2069\ud800&\n';
  const xml = junitXml([{ name, cases: [] }]);
  expect(xml).toContain('name="&quot;/&gt;&lt;x&gt;  gnp.exe  &amp;&#10;"');
  expect(hasUnseen(xml)).toBe(false);
});

test('JSON keeps unseen characters, written so that they are seen', () => {
  const value = { label: 'a\u202eb\u0085' };
  const text = readableJson(value);
  expect(text).toContain(String.raw`a\u202eb\u0085`);
  expect(JSON.parse(text)).toEqual(value);
});
