/** The report: complete for any record, safe for any texts, and quick to read. */
import fc from 'fast-check';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { gameDayFiles } from '../../runbooks/report/files.js';
import { gameDayReport } from '../../runbooks/report/page.js';
import { terminalSummary } from '../../runbooks/report/terminal.js';
import { roundRange } from '../../base/axis.js';
import { hover } from '../../base/drawing/hover.js';
import { pointsWithin, spread } from '../../base/drawing/points.js';
import { valueRange } from '../../runbooks/report/axes.js';
import { styleFor } from '../../base/terminal.js';
import { gameDayJunit } from '../../runbooks/report/junit.js';
import { resultOf } from '../../runbooks/report/result.js';
import { headlineOf, summaryLines } from '../../runbooks/headline.js';
import { percentText, timeText } from '../../runbooks/words.js';
import type { GameDayRecord, ScenarioRecord } from '../../runbooks/record.js';
import { badGameDay, goodGameDay } from './fixture.js';
import { leaks, records } from './records.js';

const plain = styleFor({ isTTY: false } as NodeJS.WriteStream);

/** The text that a reader sees. */
const seen = (html: string): string =>
  html
    .replace(/<style>[^]*?<\/style>/, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');

test('the verdict stands on top, in words', () => {
  expect(seen(gameDayReport(goodGameDay())).slice(0, 400)).toContain(
    'Every alert that had to fire did, in time. 6 of 6 expected alerts came in time.',
  );
  const bad = badGameDay();
  expect(headlineOf(bad)).toBe(
    'Stopped during Retries feed an overload: errors of browse above 20%.',
  );
  expect(summaryLines(bad).join(' ')).toBe(
    '4 of 6 expected alerts came in time; the others: 1 late, 1 missing. ' +
      'People would have got 5 pages (5 expected, 0 allowed, 0 unexpected) and ' +
      '1 ticket (0 expected, 1 allowed, 0 unexpected). Nobody expected MeshClockSkew. ' +
      'Left behind: payment: fault f-3 is still there.',
  );
});

test('the report says for each scenario what had to fire, by when, what theory says and what was measured', () => {
  const text = seen(gameDayReport(goodGameDay()));
  expect(text).toContain('MeshRetryStorm dst=payment.retail page');
  expect(text).toContain('1.9 s 5.0 s 1.0–2.8 s ✓ in time 3.7 s');
  expect(text).toContain('no budget 3 retries, no budget, no backoff 3.12x 1.84x');
  expect(text).toContain('1/240: windows, intervals and for are multiplied by it');
  expect(text).toContain('Prometheus 2.42.0 and Alertmanager 0.25.0, real processes');
});

test('an alert that never came, and one nobody expected, are named where they belong', () => {
  const html = gameDayReport(badGameDay());
  expect(seen(html)).toMatch(
    /MeshControlPlaneDown job=controller page [^✓✗]*never 6\.0 s 2\.7–4\.5 s ✗ missing/,
  );
  expect(seen(html)).toContain('Nobody expected: MeshClockSkew (ticket, workload=cart)');
});

test('an SLO without an event is told as not measured, wherever the first lines stand', () => {
  const record = goodGameDay();
  const [first] = record.budgets as [GameDayRecord['budgets'][number]];
  const blind = [0, 1].map((i) => ({ ...first, slo: `stock-${i}`, total: 0, bad: 0 }));
  const line = 'Not measured: stock-0, stock-1 (no event was counted, so no alert of it can fire).';
  expect(summaryLines(record).join(' ')).not.toContain('Not measured');
  const told = { ...record, budgets: [first, ...blind] };
  expect(summaryLines(told)).toContain(line);
  expect(seen(gameDayReport(told)).slice(0, 600)).toContain(line);
  expect(terminalSummary(told, plain)).toContain(line);
});

test('what people would have got stands in the first lines, and is never said to be nothing', () => {
  const record = goodGameDay();
  const allowed = record.alerts.map((a) => ({ ...a, firedAtMs: a.firedAtMs + 1, expected: false }));
  const [first] = record.scenarios as [ScenarioRecord];
  const noise = { ...allowed[0]!, name: 'Noise', scenario: first.id };
  first.unexpected = [
    { name: 'Noise', labels: noise.labels, severity: 'page', firedAtMs: noise.firedAtMs },
  ];
  const loud = { ...record, alerts: [...record.alerts, ...allowed, noise] };
  const line =
    'People would have got 13 pages (6 expected, 6 allowed, 1 unexpected) and 2 tickets ' +
    '(0 expected, 2 allowed, 0 unexpected). Nobody expected Noise.';
  expect(summaryLines(loud).join(' ')).toContain(line);
  expect(seen(gameDayReport(loud)).slice(0, 600)).toContain(line);
  expect(terminalSummary(loud, plain)).toContain('13 pages (6 expected');
  expect(summaryLines({ ...record, alerts: [] }).join(' ')).toContain(
    'Nobody would have got a page or a ticket.',
  );
  expect(resultOf(loud)).toMatchObject({
    pages: { expected: 6, allowed: 6, unexpected: 1, outside: 0 },
    tickets: { expected: 0, allowed: 2, unexpected: 0, outside: 0 },
  });
});

test('an alert that was wrong is named in the headline, in the table and in JUnit once', () => {
  const record = goodGameDay();
  const [first] = record.scenarios as [ScenarioRecord];
  const [e] = first.expectations as [ScenarioRecord['expectations'][number]];
  delete e.receivedAfterMs;
  delete e.firedAfterMs;
  Object.assign(e, {
    inTime: false,
    outcome: { kind: 'inhibited', text: 'fired and was inhibited by Big: nobody was notified' },
    resolve: { withinMs: 1000, inTime: false },
  });
  const failed = { ...record, verdict: 'FAIL' as const };
  expect(headlineOf(failed)).toBe(
    `${e.name} (page) fired and was inhibited by Big: nobody was notified.`,
  );
  expect(summaryLines(failed)[0]).toBe(
    '5 of 6 expected alerts came in time; the other: 1 inhibited.',
  );
  const page = gameDayReport(failed);
  expect(seen(page)).toContain('✗ inhibited ✗ never fired and was inhibited by Big');
  // The reason spans the table, and the scenario's cell extends down to it.
  expect(page).toContain('<tr class="note"><td colspan="8">fired and was inhibited by Big');
  expect(page).toContain('<th scope="row" rowspan="4"><a href="#certificate-expiry">');
  expect(terminalSummary(failed, plain)).toMatch(new RegExp(`✗ ${e.name} page .* inhibited`));
  const cases = gameDayJunit(failed).match(new RegExp(`<testcase[^>]*${e.name} [^>]*>`, 'g'));
  expect(cases).toHaveLength(1);
});

test('every link of a report leads to a file or a heading that is there', () => {
  for (const record of [goodGameDay(), badGameDay()]) {
    const slo = record.alerts.find((a) => a.labels.slo !== undefined)!;
    expect(slo.name).not.toBe('SloBudgetBurn');
    const files = gameDayFiles(record);
    for (const [file, text] of files) {
      const html = file.endsWith('.html');
      if (!html && !file.endsWith('.md')) continue;
      const found = html
        ? text.matchAll(/href="([^"]+)"/g)
        : text.replaceAll(/```[^]*?```/g, '').matchAll(/\]\(([^)]+)\)/g);
      const targets = [...found].map((m) => decodeURIComponent(m[1] as string));
      for (const target of targets.filter((t) => !/^https?:/.test(t))) {
        const [path, id] = target.split('#');
        if (path === '') expect(text, `${file} -> ${target}`).toContain(`id="${id}"`);
        else expect([...files.keys()], file).toContain(join(dirname(file), path as string));
      }
    }
    expect([...files.keys()]).toContain(`runbooks/${slo.name}.md`);
    expect(files.get('postmortem.md')).toContain(`](runbooks/${slo.name}.md)`);
  }
});

test('where no fault took effect, an alert that did not fire is not judged', () => {
  const record = badGameDay();
  const [first, second] = record.scenarios as [ScenarioRecord, ScenarioRecord];
  delete second.confirmedMs;
  const reasons = ['not steady before the injection: checkout p95 is 1063'];
  Object.assign(second, { verdict: 'INCONCLUSIVE', reasons });
  const unclear = { ...record, scenarios: [first, second], verdict: 'INCONCLUSIVE' as const };
  expect(headlineOf(unclear)).toBe(`No verdict: ${reasons[0]}.`);
  expect(summaryLines(unclear).join(' ')).toContain(
    '2 of 4 expected alerts came in time; the other: 1 late. ' +
      '1 could not be judged: no fault took effect.',
  );
  expect(seen(gameDayReport(unclear))).toContain('? not judged');
  expect(terminalSummary(unclear, plain)).toContain('? MeshControlPlaneDown page');
});

test('a passed scenario among others is folded, and so is a long timeline; a failed one is open', () => {
  const folds = (html: string): string[] =>
    [...html.matchAll(/<details( open)?><summary>\s*<header><h2>([^<]*)/g)].map(
      ([, open, title]) => `${title}${open ?? ''}`,
    );
  const [passed, failed] = badGameDay().scenarios as [ScenarioRecord, ScenarioRecord];
  const scenarios = [{ ...passed, verdict: 'PASS' as const }, failed];
  expect(folds(gameDayReport({ ...badGameDay(), scenarios }))).toEqual([
    passed.title,
    `${failed.title} open`,
  ]);
  // The only scenario is what the report is about.
  const good = goodGameDay();
  const [first] = good.scenarios;
  expect(folds(gameDayReport({ ...good, scenarios: [first!] }))).toEqual([`${first!.title} open`]);
  const [event] = good.timeline;
  const events = (count: number) =>
    gameDayReport({
      ...good,
      timeline: Array.from({ length: count }, () => ({ ...event!, major: true })),
    });
  expect(events(12)).not.toContain('main events');
  expect(events(13)).toContain('<summary>The 13 main events</summary>');
});

/** Removes our own script; the page's policy allows no other. */
const withoutOurs = (html: string): string => html.replace(hover().script, '');

test('the page needs nothing else: no style, font, picture or script from elsewhere', () => {
  const page = gameDayReport(goodGameDay(), { postmortem: '# P\n\ntext', runbooks: new Map() });
  expect(page).toContain(hover().script);
  expect(page.indexOf('script-src')).toBeLessThan(page.indexOf('<style>'));
  const html = withoutOurs(page);
  expect(html).not.toMatch(/<script|<link|<iframe|<object|@import|url\(|src=|https?:/i);
  expect(html.length).toBeLessThan(400_000);
});

const safe = (page: string): void => {
  const html = withoutOurs(page);
  expect(html).not.toMatch(/<script|<img|<b> <\/svg>/i);
  const targets = [...html.matchAll(/href="([^"]*)"/g)].map((m) => m[1] as string);
  expect(targets.filter((t) => /^\s*[a-z]+:/i.test(t) && !/^https?:/i.test(t))).toEqual([]);
  // Every opening tag is one of ours, so no text became markup.
  const tags = new Set([...html.matchAll(/<\/?([a-z][a-z0-9]*)/gi)].map((m) => m[1]));
  const ours =
    'html head meta title style body main section header h1 h2 h3 h4 h5 h6 p span ul ol li dl ' +
    'dt dd div small nav a b strong ' +
    'table thead tbody tr th td svg g rect line path text tspan circle figure details summary ' +
    'pre code blockquote footer';
  expect([...tags].filter((t) => !ours.split(' ').includes(t as string))).toEqual([]);
};

test('any record renders, in every form, with no NaN, no undefined, and none of its texts as markup', () => {
  fc.assert(
    fc.property(records, (record) => {
      const html = gameDayReport(record);
      safe(html);
      expect(withoutOurs(html).replaceAll(/&[^;]+;/g, '')).not.toMatch(leaks);
      const terminal = terminalSummary(record, plain);
      expect(terminal).not.toMatch(leaks);
      // eslint-disable-next-line no-control-regex
      expect(terminal).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('the end of a game day in a terminal', () => {
  expect(
    terminalSummary(goodGameDay(), plain, { report: 'gameday-report/index.html' }),
  ).toMatchSnapshot();
  expect(terminalSummary(badGameDay(), plain)).toMatchSnapshot();
});

test('scales have round ticks, and lines keep their peaks when thinned', () => {
  expect(roundRange(0, 97, 4).ticks).toEqual([0, 50, 100]);
  expect(valueRange('success', [1, 0.9991]).min).toBeLessThanOrEqual(0.99);
  const points = Array.from({ length: 5000 }, (_, i): [number, number] => [i, i === 3210 ? 99 : 1]);
  const thinned = pointsWithin(points, 0, 5000, 100);
  expect(thinned.length).toBeLessThanOrEqual(200);
  expect(Math.max(...thinned.map(([, v]) => v ?? 0))).toBe(99);
});

test('labels of lines that end at one height do not cover each other', () => {
  const places = spread([50, 50, 50, 3], 14, 0, 84);
  const sorted = places.toSorted((a, b) => a - b);
  for (let i = 1; i < sorted.length; i++) {
    expect((sorted[i] as number) - (sorted[i - 1] as number)).toBeGreaterThanOrEqual(13.9);
  }
});

test('times and shares as people say them', () => {
  expect([812, 3712, 14_260, 125_000, 7_560_000, -400, undefined].map(timeText)).toEqual([
    '812 ms',
    '3.7 s',
    '14.3 s',
    '2 min 5 s',
    '2.1 h',
    '-400 ms',
    'none',
  ]);
  expect([0, 1, 0.99951, 0.0007, 2.12, 0.5].map(percentText)).toEqual([
    '0%',
    '100%',
    '99.951%',
    '0.070%',
    '212.0%',
    '50.0%',
  ]);
});

test('of clients that nobody measured nothing is said', () => {
  const day = goodGameDay();
  const none = { requests: 0, errors: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, routes: {} };
  const record = {
    ...day,
    load: { ...day.load, kind: 'existing' as const, total: none },
    scenarios: day.scenarios.map((s) => ({
      ...s,
      client: none,
      phases: s.phases.map((p) => ({ ...p, client: none })),
    })),
  };
  expect(terminalSummary(record, plain)).toContain(
    '  clients: no request of theirs was measured\n',
  );
  const text = seen(gameDayReport(record));
  expect(text).toContain('Requests of clients – not measured');
  expect(text).not.toContain('Latency at the client');
  expect(text).toMatch(/baseline \d[^–]* 0 – – – – –/);
});

test('a scenario without a counted event has not spent nothing: nothing was measured', () => {
  const record = goodGameDay();
  for (const s of record.scenarios) s.budgetSpent = [{ slo: 'cart', ratio: 0, bad: 0, total: 0 }];
  expect(seen(gameDayReport(record))).toContain('No event of an SLO was counted.');
  expect(seen(gameDayReport(record))).not.toContain('It spent no error budget.');
});
