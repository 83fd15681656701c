/** The postmortem: only measurements, prompts for the rest, and a lint that finds the open tasks. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatProblem } from '../../base/errors.js';
import { draftPostmortem, postmortemOf, toFill } from '../../runbooks/postmortem/draft.js';
import { lintPostmortem, requiredSections } from '../../runbooks/postmortem/lint.js';
import { timesOf } from '../../runbooks/postmortem/times.js';
import type { ScenarioRecord } from '../../runbooks/record.js';
import { badGameDay, goodGameDay } from './fixture.js';
import { leaks, records } from './records.js';

const said = (text: string): string[] => lintPostmortem('p.md', text).map(formatProblem);

test('the draft of a game day', () => {
  expect(draftPostmortem(goodGameDay())).toMatchSnapshot();
});

test('the draft of one scenario tells only of that one', () => {
  const text = draftPostmortem(goodGameDay(), { scenario: 'control-plane-outage' });
  expect(text).toContain('# Postmortem: The control plane dies');
  expect(text).toContain('none of 2,160 requests failed');
  expect(text).not.toContain('certificate expired');
});

test('the draft of one scenario counts its own alerts, requests and budget, and no payments of the day', () => {
  const record = goodGameDay();
  const first = record.scenarios[0]!;
  const slo = record.budgets[0]!.slo;
  first.budgetSpent = [{ slo, ratio: 0.012, bad: 7, total: 900 }];
  const text = draftPostmortem(record, { scenario: first.id });
  expect(text).toContain(`${first.expectations.length} of ${first.expectations.length} expected`);
  expect(text).toMatch(new RegExp(`\\| ${slo} \\| [^|]+ \\| 7 of 900 \\| [^|]+ \\| 1.20% \\|`));
  expect(text).not.toContain('double charges');
  for (const other of record.scenarios.slice(1)) expect(text).not.toContain(other.title);
});

test('a page before the first error is said to be before it, and days are told where they differ', () => {
  const record = goodGameDay();
  const day = 86_400_000;
  record.timeline.push({ ...record.timeline[0]!, atMs: record.startedMs + day });
  const text = draftPostmortem(record);
  expect(text).toContain('| 700 ms before the first error |');
  expect(text.slice(0, text.indexOf('## Impact'))).not.toMatch(/\| -\d/);
  expect(text).toMatch(/\| 2026-05-13 \d\d:\d\d:/);
  expect(text).toContain('The rules ran at 1/240 of production time');
});

test('the draft as JSON has the same parts', () => {
  const { title, facts, sections } = postmortemOf(goodGameDay());
  expect([title, facts.Status]).toEqual(['Game day: retail', 'draft']);
  const text = draftPostmortem(goodGameDay());
  for (const { name, markdown } of sections) expect(text).toContain(`## ${name}\n\n${markdown}`);
});

test('detection, mitigation and resolution count from what callers felt', () => {
  const record = goodGameDay();
  const [first, second] = record.scenarios as [ScenarioRecord, ScenarioRecord];
  // Callers failed from 15.6 s on; the first page came earlier, at 14.9 s; the fault ended at 22.3 s.
  expect(timesOf(record, first)).toMatchObject({
    felt: true,
    ttdMs: -700,
    ttmMs: 6700,
    ttrMs: 14_200,
  });
  // No caller noticed the control plane's death: the times count from the fault's effect.
  expect(timesOf(record, second)).toMatchObject({ felt: false, ttdMs: 3900, ttmMs: 9800 });
});

test('what was measured to be wrong becomes an action without an owner', () => {
  const text = draftPostmortem(badGameDay());
  const rows = text.split('\n').filter((l) => l.startsWith(`| ${toFill}`));
  expect(rows.map((r) => r.split('|')[2]?.trim())).toEqual([
    'CheckoutAvailability after 14.3 s, 2.3 s too late',
    'MeshClockSkew fired without being expected',
    'MeshControlPlaneDown never came (deadline 6.0 s)',
    'left behind: payment: fault f-3 is still there',
  ]);
});

test('any record drafts, with every section, no NaN, no undefined, and nothing of its texts as markup', () => {
  fc.assert(
    fc.property(records, (record) => {
      const text = draftPostmortem(record);
      expect(text.replaceAll(/\\./g, '')).not.toMatch(leaks);
      const titles = [...text.matchAll(/^## (.*)$/gm)].map((m) => m[1]);
      expect(titles.filter((t) => requiredSections.includes(t as string))).toEqual(
        requiredSections,
      );
      expect(titles).toHaveLength(15);
      const markup = text.replaceAll(/`[^`\n]*`|\\[<[\]`]/g, '');
      expect(markup).not.toMatch(/<script|<img|\]\(javascript/);
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('a draft is not finished, and the lint says where', () => {
  const problems = said(draftPostmortem(goodGameDay()));
  expect(problems).toContain('p.md:5:3: it is still a draft; expected Status: reviewed');
  expect(problems.filter((p) => p.includes(`the placeholder '${toFill}'`)).length).toBeGreaterThan(
    8,
  );
  expect(problems.filter((p) => p.includes('no owner'))).toHaveLength(1);
  expect(problems.some((p) => p.includes('blames'))).toBe(false);
});

/** A finished postmortem. */
const finished = (changes: (text: string) => string = (t) => t): string =>
  changes(
    draftPostmortem(goodGameDay())
      .replace('- Status: draft', '- Status: reviewed')
      .replace(
        /^\| TO FILL .*$/m,
        '| Alert on issuer failures | x | detect | team-mesh | 2026-06-01 |',
      )
      .replaceAll(toFill, 'written down'),
  );

test('a finished one has no problem', () => {
  expect(said(finished())).toEqual([]);
});

test.each([
  ['An obvious slip.', "'obvious' blames; expected what was known at the time, without hindsight"],
  [
    'Human error by the operator.',
    "'Human error' blames; expected what made the wrong action look right",
  ],
  [
    'They should have noticed it.',
    "'should have noticed' blames; expected what was visible at the time",
  ],
  ['Anna forgot to renew it.', "'forgot to' blames; expected what would have reminded anyone"],
])('%s', (sentence, message) => {
  const text = finished((t) => t.replace('## Trigger\n', `## Trigger\n\n${sentence}\n`));
  expect(said(text).map((p) => p.replace(/^p\.md:\d+:\d+: /, ''))).toEqual([message]);
});

test.each([
  ['| Alert | x | detect |  | 2026-06-01 |', "'Alert' has no owner; expected one person or team"],
  [
    '| Alert | x | detect | everyone | 2026-06-01 |',
    "'Alert' has no owner; expected one person or team",
  ],
  [
    '| Alert | x | detect | a, b | 2026-06-01 |',
    "'Alert' has several owners: a, b; expected one, who may ask others",
  ],
  ['| Alert | x | detect | team |  |', "'Alert' has no date; expected YYYY-MM-DD"],
  [
    '| Alert | x | detect | team | 2026-02-30 |',
    "'Alert': '2026-02-30' is no date; expected YYYY-MM-DD",
  ],
  ['|  | x | detect | team | 2026-06-01 |', 'an action without text; expected what will be done'],
])('%s', (row, message) => {
  const text = finished((t) => t.replace(/^\| Alert on issuer.*$/m, row));
  expect(said(text).map((p) => p.replace(/^p\.md:\d+:\d+: /, ''))).toEqual([message]);
});

test('a missing section, an empty one, a timeline that goes back, and no action at all', () => {
  const text = finished((t) =>
    t
      .replace(/## Trigger\n[^]*?(?=\n## )/, '')
      .replace(/(## Resolution\n)[^]*?(?=\n## )/, '$1')
      .replace(/(## Timeline\n)[^]*?(?=\n## )/, '$1\n- 10:05 page\n- 10:01 fixed\n')
      .replace(/(## Actions\n)[^]*?(?=\n## )/, '$1\nnone\n'),
  );
  expect(said(text).map((p) => p.replace(/^p\.md:\d+:\d+: /, ''))).toEqual([
    "the section 'Resolution' is empty",
    '10:01 stands after 10:05; expected a timeline that goes forward',
    "no action; expected a table with the columns action, owner and due, or 'No action: why'",
    "the section 'Trigger' is missing",
  ]);
});

test('nothing is said of requests that nobody measured, or of an alert that never fired', () => {
  const record = goodGameDay();
  const [first] = record.scenarios as [ScenarioRecord];
  first.client = { ...first.client, requests: 0, errors: 0, routes: {} };
  const [wanted] = first.expectations;
  const { receivedAfterMs: _, ...never } = wanted!;
  first.expectations = [{ ...never, inTime: false, resolve: { withinMs: 1, inTime: false } }];
  const text = draftPostmortem(record, { scenario: first.id });
  expect(text).toMatch(/: no request was measured[.;]/);
  expect(text).not.toContain('none of 0 requests');
  expect(text).not.toMatch(new RegExp(`${never.name} did not stop in time`));
});
