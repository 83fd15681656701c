/** The effects of changed rules and routes: notifications before and after, and lost ones. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { ChangeReport } from '../../alerts/change/compare.js';
import { CompiledRoutes } from '../../alerts/change/routes.js';
import { routingChanges } from '../../alerts/change/routing-diff.js';
import { readSide } from '../../alerts/change/side.js';
import { tellings } from '../../alerts/change/told.js';
import type { RuleFiring } from '../../alerts/proof/backtest/rules.js';
import type { AmConfig, AmRoute } from '../../alerts/routing/config.js';
import { decide } from '../../alerts/routing/evaluate.js';
import type { AlertUpdate } from '../../alerts/watch/notifier.js';
import { SimulatedClock } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-change-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const minuteMs = 60_000;
const startMs = Date.parse('2026-01-05T00:00:00Z');

describe('the meaning of a rule', () => {
  const ruleFile = (name: string, depth: number, deepest: string): string => {
    const path = join(folder, `${name}.yaml`);
    const levels = Array.from({ length: depth }, (_, at) => at);
    const rules = levels.flatMap((at) =>
      // Two rules of each name, each reading the next level twice, and the last one the first: paths double at each.
      ['a', 'b'].map((part) => ({
        record: `level${at}`,
        expr:
          at === depth - 1 ? `${deepest} or level0` : `level${at + 1}{part="a"} + level${at + 1}`,
        labels: { part },
      })),
    );
    const alert = { alert: 'Deep', expr: 'level0 > 1' };
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'g', rules: [...rules, alert] }] }));
    return path;
  };
  const meaning = (path: string): string | undefined => readSide(path).alerts[0]?.meaning;

  test('contains all that it reads, at any depth and in circles', () => {
    const [a, same, other] = [
      meaning(ruleFile('a', 100, 'up')),
      meaning(ruleFile('same', 100, 'up')),
      meaning(ruleFile('other', 100, 'down')),
    ];
    expect(a).toBe(same);
    expect(a).not.toBe(other);
  });
});

describe('routes that are parsed once', () => {
  const value = fc.constantFrom('a', 'b', 'c');
  const name = fc.constantFrom('team', 'severity', 'zone');
  const matcher = fc
    .tuple(name, fc.constantFrom('=', '!=', '=~', '!~'), fc.constantFrom('a', 'b', 'a|b', ''))
    .map(([n, op, v]) => `${n}${op}"${v}"`);
  const labels = fc.dictionary(name, value, { maxKeys: 3 });
  const own = {
    matchers: fc.array(matcher, { maxLength: 2 }),
    receiver: fc.option(value, { nil: undefined }),
    continue: fc.boolean(),
    mute_time_intervals: fc.constantFrom<string[]>([], ['night']),
    active_time_intervals: fc.constantFrom<string[]>([], ['monday'], ['night', 'monday']),
  };
  const leaf = fc.record(own) as fc.Arbitrary<AmRoute>;
  const route = fc.record({
    ...own,
    routes: fc.array(leaf, { maxLength: 3 }),
  }) as fc.Arbitrary<AmRoute>;
  const inhibition = fc.record({
    source_matchers: fc.array(matcher, { minLength: 1, maxLength: 2 }),
    target_matchers: fc.array(matcher, { minLength: 1, maxLength: 2 }),
    equal: fc.array(name, { maxLength: 2 }),
  });

  test("hold back and take what Alertmanager's own decision does", () => {
    const moment = fc.integer({ min: 0, max: 7 * 24 * 60 }).map((m) => startMs + m * minuteMs);
    fc.assert(
      fc.property(
        fc.array(route, { maxLength: 3 }),
        fc.array(inhibition, { maxLength: 3 }),
        labels,
        fc.array(labels, { maxLength: 3 }),
        moment,
        (routes, inhibit_rules, alert, others, atMs) => {
          const config: AmConfig = {
            route: { receiver: 'a', group_by: ['team'], routes },
            inhibit_rules,
            receivers: [],
            time_intervals: [
              {
                name: 'night',
                time_intervals: [{ times: [{ start_time: '00:00', end_time: '06:00' }] }],
              },
              { name: 'monday', time_intervals: [{ weekdays: ['monday'] }] },
            ],
          };
          const compiled = new CompiledRoutes(config, new SimulatedClock(atMs));
          const update = (l: Record<string, string>): AlertUpdate => ({
            key: JSON.stringify(l),
            labels: l,
            annotations: {},
            startsAtMs: atMs,
          });
          const firing = others.map(update);
          const decided = decide(config, alert, { atMs, firing: others, silences: [] });
          const taken = compiled.routesOf(alert);
          expect(taken.map((t) => t.receiver)).toEqual(decided.deliveries.map((d) => d.receiver));
          expect(taken.map((t) => compiled.isHeld(update(alert), t, firing))).toEqual(
            decided.deliveries.map(
              (d) => decided.inhibited !== undefined || d.mutedBy !== undefined,
            ),
          );
        },
      ),
      { seed: 20261129, numRuns: 600 },
    );
  });
});

test('a receiver that leads elsewhere is a change, and its texts stay secret', () => {
  const config = (url: string, channel: string, more: object): AmConfig => ({
    global: { slack_api_url: url },
    route: { receiver: 'a', labels: { tier: channel } },
    receivers: [
      { name: 'a', slack_configs: [{ channel, ...more }] },
      { name: 'b', webhook_configs: [{ url: 'https://same.example/' }] },
    ],
  });
  const before = config('https://hooks.example/SECRET-1', '#SECRET-2', {});
  const changes = routingChanges(
    before,
    config('https://hooks.example/SECRET-3', '#SECRET-4', { send_resolved: false, title: 'x' }),
  );
  const changed = (field: string, old = 'a text', now = 'another text') => ({
    field,
    old,
    new: now,
  });
  expect(changes.map((c) => [c.kind, c.name, c.change, c.fields])).toEqual([
    ['route', 'root', 'changed', [expect.objectContaining({ field: 'labels' })]],
    [
      'receiver',
      'a',
      'changed',
      [
        changed('slack_configs[0].channel'),
        changed('slack_configs[0].send_resolved', '', 'false'),
        changed('slack_configs[0].title', '', 'a text'),
      ],
    ],
    ['global', 'settings', 'changed', [changed('slack_api_url')]],
  ]);
  const told = changes.filter((c) => c.kind !== 'route');
  expect(JSON.stringify(told)).not.toContain('SECRET');
  expect(routingChanges(before, before)).toEqual([]);
});

describe('receivers that are notified', () => {
  const firing = (alert: string, from: number, to: number, severity = 'page'): RuleFiring => ({
    alert,
    labels: { severity, zone: 'a' },
    severity: severity as 'page',
    activeMs: startMs + from * minuteMs,
    firedMs: startMs + from * minuteMs,
    resolvedMs: startMs + to * minuteMs,
  });
  const config = (more: Partial<AmConfig> = {}): AmConfig => ({
    route: { receiver: 'r', group_by: ['alertname'], repeat_interval: '1h' },
    receivers: [{ name: 'r', webhook_configs: [{}] }],
    ...more,
  });
  const span = { startMs, endMs: startMs + 600 * minuteMs, stepMs: minuteMs };
  const minutes = (firings: RuleFiring[], am: AmConfig | undefined) =>
    tellings(firings, am, span).map((t) => [
      (t.atMs - startMs) / minuteMs,
      t.firings.map((f) => f.alert).join(),
    ]);

  test('after the wait of its group, and again at the first interval after the repeat', () => {
    expect(minutes([firing('A', 10, 100)], config())).toEqual([
      [10.5, 'A'],
      [75.5, 'A'],
    ]);
    expect(minutes([firing('A', 10, 100)], undefined)).toEqual([[10.5, 'A']]);
  });

  test('a second alert of a group is notified with the first, at the next interval', () => {
    const am = config({ route: { receiver: 'r', group_by: ['zone'], group_interval: '5m' } });
    expect(minutes([firing('A', 10, 100), firing('B', 12, 90)], am)).toEqual([
      [10.5, 'A'],
      [15.5, 'A,B'],
      // B resolved; the notification still contains A.
      [90.5, 'A'],
    ]);
  });

  test('not while another hides it, and then it is', () => {
    const am = config({
      inhibit_rules: [
        {
          source_matchers: ['severity="page"'],
          target_matchers: ['severity="ticket"'],
          equal: ['zone'],
        },
      ],
    });
    expect(minutes([firing('A', 10, 30), firing('B', 20, 90, 'ticket')], am)).toEqual([
      [10.5, 'A'],
      [30.5, 'B'],
    ]);
  });

  test('a receiver without any integration tells nobody', () => {
    expect(minutes([firing('A', 10, 30)], config({ receivers: [{ name: 'r' }] }))).toEqual([]);
  });
});

describe('the command', () => {
  const write = (name: string, text: string): string => {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const cli = (...args: string[]) => {
    const run = spawnSync(process.execPath, [program('cli'), 'alerts', 'diff', ...args], {
      cwd: folder,
    });
    return { status: run.status, out: run.stdout.toString(), err: run.stderr.toString() };
  };

  // Six hours with a short spike, and a long one of half its height.
  const rows = Array.from({ length: 361 }, (_, m) => {
    const load = m >= 60 && m < 80 ? 9 : m >= 180 && m < 300 ? 5 : 1;
    return `${startMs / 1000 + m * 60},${load},${load / 2}`;
  });
  const history = write(
    'h.csv',
    `time,"load{zone=""a""}","load{zone=""b""}"\n${rows.join('\n')}\n`,
  );
  const rules = (bound: number, record = 'max by (zone) (load)', waits = '5m'): string => `groups:
  - name: g
    interval: 1m
    rules:
      - { record: 'zone:load:max', expr: ${record} }
      - { alert: High, expr: 'zone:load:max > ${bound}', for: ${waits}, labels: { severity: page } }
      - { alert: Some, expr: 'load > 2', labels: { severity: ticket } }
`;
  const am = (more = ''): string => `route: { receiver: r, group_by: [alertname] }
receivers: [{ name: r, webhook_configs: [{ url: 'http://x.example/' }] }]
${more}`;
  write('old/rules.yaml', rules(4));
  write('old/alertmanager.yml', am());
  write('new/rules.yaml', rules(7));
  write(
    'new/alertmanager.yml',
    am(
      'inhibit_rules: [{ source_matchers: [\'severity="page"\'], target_matchers: [\'severity="ticket"\'] }]',
    ),
  );
  const incidents = write(
    'i.yaml',
    `apiVersion: firedrill.dev/v1
kind: Incidents
start: 2026-01-05T00:00:00Z
days: 1
incidents:
  - { name: spike, kind: label, at: 1h, for: 20m, expect: page }
  - { name: plateau, kind: label, at: 3h, for: 2h, expect: page }
`,
  );
  const ask = (...args: string[]): ChangeReport => {
    const run = cli(...args, '--history', history, '--format', 'json');
    expect(run.err.replace(/.*\r/g, '')).not.toMatch(/error|stack/i);
    return JSON.parse(run.out) as ChangeReport;
  };

  test('reports firings, notifications, lost incidents and the effect of an inhibition alone', () => {
    const report = ask('old', 'new', '--incidents', incidents);
    const [high, some] = report.rules;
    expect(high).toMatchObject({
      alert: 'High',
      change: 'changed',
      fields: [{ field: 'expr', old: 'zone:load:max > 4', new: 'zone:load:max > 7' }],
      old: { fired: 3, told: { r: 2 } },
      new: { fired: 1, told: { r: 1 } },
    });
    // Zone b has half the value, which exceeds 4 only in the spike.
    expect(high!.old!.firingMs).toBe((15 + 115 + 15) * minuteMs);
    expect(some).toMatchObject({ change: 'same', old: { fired: 4 }, new: { fired: 4 } });
    expect(report.routing).toMatchObject([{ kind: 'inhibition', change: 'added' }]);
    expect(report.incidents.map((i) => [i.name, i.verdict])).toEqual([
      ['spike', 'kept'],
      ['plateau', 'lost'],
    ]);
    expect(report.incidents[0]!.old).toMatchObject({ alert: 'High', receiver: 'r' });
    expect(
      cli('old', 'new', '--history', history, '--incidents', incidents, '--fail'),
    ).toMatchObject({
      status: 1,
      err: expect.stringContaining("'plateau' would be lost") as string,
    });
  });

  test('a rule that reads a changed record has changed, and one written otherwise has not', () => {
    write('r1.yaml', rules(4));
    write('r2.yaml', rules(4, '2 * max by (zone) (load)'));
    const high = ask('r1.yaml', 'r2.yaml').rules.find((r) => r.alert === 'High');
    expect(high).toMatchObject({ change: 'changed', fields: [{ field: 'reads' }] });
    expect(high!.new!.fired).toBeGreaterThan(high!.old!.fired);
    write('r3.yaml', rules(4, 'max(load)   by(zone)'));
    expect(ask('r1.yaml', 'r3.yaml').rules.map((r) => r.change)).toEqual(['same', 'same']);
  });

  test('a renamed rule is one rule, and a route counts what those below it send', () => {
    write('named/rules.yaml', rules(4).replace('alert: High', 'alert: Higher'));
    const below = am().replace(
      '[alertname] }',
      '[alertname], repeat_interval: 1h, routes: [{ receiver: r }] }',
    );
    write('named/alertmanager.yml', below);
    write('before/rules.yaml', rules(4));
    write('before/alertmanager.yml', below.replace('1h', '2h'));
    const report = ask('before', 'named');
    expect(report.rules[0]).toMatchObject({
      alert: 'Higher',
      change: 'changed',
      fields: [{ field: 'alert', old: 'High', new: 'Higher' }],
      old: { fired: 3 },
      new: { fired: 3 },
    });
    expect(report.routing).toMatchObject([
      { name: 'root', old: report.totals.old.told, new: report.totals.new.told },
    ]);
    expect(report.totals.old.told).toBeGreaterThan(0);
  });

  test('incidents outside of the history are told, and are no misses', () => {
    const other = write(
      'other.yaml',
      readFileSync(incidents, 'utf8').replace('at: 3h, for: 2h', 'at: 9h, for: 2h'),
    );
    const args = ['old', 'new', '--history', history, '--incidents'];
    const some = cli(...args, other, '--format', 'json');
    expect((JSON.parse(some.out) as ChangeReport).incidents.map((i) => i.name)).toEqual(['spike']);
    expect(some.err).toMatch(/outside of the history, .*: plateau \(2026-01-05T09:00\)/);
    const none = write('none.yaml', readFileSync(incidents, 'utf8').replace('01-05T', '02-05T'));
    expect(cli(...args, none)).toMatchObject({
      status: 2,
      err: expect.stringMatching(/none.yaml: outside of the history.*another start/) as string,
    });
  });

  test('Markdown for a pull request, in which labels are not markup', () => {
    const report = cli('old', 'new', '--history', history, '--format', 'markdown', '-o', 'c.md');
    expect(report.status).toBe(0);
    const text = readFileSync(join(folder, 'c.md'), 'utf8');
    expect(text).toMatch(/^\| High \| changed \| 3 \(2h25m\) \| 1 \(15m\) \| r 2 \| r 1 \| /m);
    expect(text).toContain('zone:load:max \\> 4 -\\> zone:load:max \\> 7');
  });

  testWith('promtool')('fires when promtool says that it fires, minute by minute', () => {
    const report = ask('old', 'new');
    expect(report.rules[0]!.old!.firingMs).toBe(145 * minuteMs);
    const values = (half: boolean): string =>
      rows.map((row) => row.split(',')[half ? 2 : 1]).join(' ');
    // Firing in minutes 65 to 79 in both zones, and from 185 to 299 in zone a.
    const zones: [number, string[]][] = [
      [64, []],
      [65, ['a', 'b']],
      [79, ['a', 'b']],
      [80, []],
      [184, []],
      [185, ['a']],
      [299, ['a']],
      [300, []],
    ];
    const cases = zones.map(([minute, list]) => ({
      eval_time: `${minute}m`,
      alertname: 'High',
      exp_alerts: list.map((zone) => ({ exp_labels: { severity: 'page', zone } })),
    }));
    const file = write(
      'unit.yaml',
      JSON.stringify({
        rule_files: ['old/rules.yaml'],
        evaluation_interval: '1m',
        tests: [
          {
            interval: '1m',
            input_series: [
              { series: 'load{zone="a"}', values: values(false) },
              { series: 'load{zone="b"}', values: values(true) },
            ],
            alert_rule_test: cases,
          },
        ],
      }),
    );
    const run = spawnSync(findTool('promtool') as string, ['test', 'rules', file]);
    expect(`${run.stdout.toString()}${run.stderr.toString()}`).toContain('SUCCESS');
  });

  test.each([
    [['old', 'new'], 'no history to compare over; expected either --history'],
    [['old', 'none', '--history', 'h.csv'], 'none: no such file or folder'],
    [['old', 'h.csv', '--history', 'h.csv'], 'h.csv'],
    [
      ['old', 'new', '--history', 'h.csv', '--format', 'x'],
      '--format x; expected one of text, markdown, json',
    ],
    [['old', 'i.yaml', '--history', 'h.csv'], 'no rules and no Alertmanager configuration'],
    [['old', '.', '--history', 'h.csv'], 'has two Alertmanager configurations'],
  ])('%j is refused', (args, message) => {
    const run = cli(...args);
    expect([run.status, run.err]).toEqual([2, expect.stringContaining(message)]);
    expect(run.out).toBe('');
  });
});
