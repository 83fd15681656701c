/** Routing: the declaration becomes a configuration that amtool accepts, and decisions agree with amtool's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { compileRouting, configText } from '../../alerts/routing/compile.js';
import { type AmConfig, type AmRoute, readAmConfig } from '../../alerts/routing/config.js';
import { declarationOf } from '../../alerts/routing/init.js';
import { alertsIn, unownedProblems } from '../../alerts/routing/unowned.js';
import { readRouting, readRoutingText } from '../../alerts/routing/declaration.js';
import { escalationGroups } from '../../alerts/routing/escalation.js';
import { decide } from '../../alerts/routing/evaluate.js';
import { matcherOf, parseLabels, parseMatchers } from '../../alerts/routing/matchers.js';
import { checkConfig, routeTests } from '../../alerts/routing/run.js';
import { contains, momentOf } from '../../alerts/routing/time-intervals.js';
import { formatProblem, UserError } from '../../base/errors.js';
import { asset, program } from '../../base/paths.js';
import { seededRandom } from '../../base/random.js';
import { requireTool } from '../../base/tools.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-routing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const example = asset('examples/alerts/routing.yaml');
const quiet = { atMs: 0, firing: [], silences: [] };

/** The smallest valid declaration. */
const least = `apiVersion: firedrill.dev/v1
kind: AlertRouting
default: shop
severities:
  page: {}
  ticket: { wait: 5m }
teams:
  - name: shop
    notify:
      page:
        - webhook: { url: 'https://pager.example/a' }
      ticket: []
`;

describe('A3: from a declaration to a configuration', () => {
  test('the example, its tests, and every way of telling somebody', () => {
    const { routing } = readRouting(example);
    expect(routeTests(routing, Date.UTC(2026, 11, 7, 10)).filter((r) => !r.passed)).toEqual([]);
    const text = configText(compileRouting(routing));
    for (const field of [
      'routing_key_file: /etc/alertmanager/secrets/platform-pagerduty',
      'api_key_file: /etc/alertmanager/secrets/opsgenie',
      'api_url_file: /etc/alertmanager/secrets/slack',
      'auth_password_file: /etc/alertmanager/secrets/smtp',
      'credentials_file: /etc/alertmanager/secrets/payments-pager',
      'location: Europe/Berlin',
    ]) {
      expect(text).toContain(field);
    }
    expect(configText(compileRouting(routing))).toBe(text);
  });

  test('a configuration read back is the one that was written', () => {
    const config = compileRouting(readRouting(example).routing);
    const file = join(folder, 'alertmanager.yaml');
    writeFileSync(file, configText(config));
    expect(readAmConfig(file)).toEqual(config);
  });

  test('names of teams and services are literal, not patterns', () => {
    const text = least.replace('    notify:', "    owns: ['a.b', 'c|d']\n    notify:");
    const config = compileRouting(readRoutingText('r.yaml', text));
    expect(config.route.routes?.[0]?.matchers).toEqual([String.raw`owner=~"a\\.b|c\\|d"`]);
    const told = (owner: string) =>
      decide(config, { owner, severity: 'page', x: '1' }, quiet).deliveries[0]?.path.length;
    expect(told('a.b')).toBe(3);
    expect(told('c|d')).toBe(3);
    // The default team's routes, which come last, notify the alert.
    expect(told('axb')).toBe(2);
  });

  test('escalation is a rule and a route, for owned alerts and for those of a service', () => {
    const { routing } = readRouting(example);
    const [rule] = escalationGroups(routing)[0]?.rules ?? [];
    expect(rule?.kind === 'alert' && rule.expr).toContain('> 1800');
    expect(rule?.labels).toEqual({ escalation: '1' });
    expect(escalationGroups(readRoutingText('r.yaml', least))).toEqual([]);
  });

  testWith('amtool')('amtool takes every configuration', async () => {
    const variants = [
      readRouting(example).routing,
      readRoutingText('r.yaml', least),
      readRoutingText('r.yaml', `${least}groupBy: ['...']\ninhibit: { library: false }\n`),
      readRoutingText(
        'r.yaml',
        `${least.replace('wait: 5m', 'during: odd')}schedules:
  odd: [{ months: 'january:march', daysOfMonth: '-3:-1', timezone: America/New_York }]
`,
      ),
      readRoutingText(
        'r.yaml',
        least.replace('  page: {}', '  page: { wait: 10ms, cooldown: 1h30m, repeat: 1w }'),
      ),
    ];
    for (const routing of variants) await checkConfig(configText(compileRouting(routing)));
    await expect(checkConfig('route: {receiver: nobody}\nreceivers: []\n')).rejects.toThrow(
      'amtool refuses the configuration',
    );
  });

  testWith('promtool')('promtool takes the rules of escalations', () => {
    const out = join(folder, 'out');
    const cli = spawnSync(
      process.execPath,
      [program('cli'), 'alerts', 'routes', 'generate', '-f', example, '-o', out],
      { encoding: 'utf8' },
    );
    expect(cli.stderr).toContain('has no acknowledgements');
    expect(readdirSync(out).sort()).toEqual(['alertmanager.yaml', 'escalation-rules.yaml']);
    const said = execFileSync(requireTool('promtool'), [
      'check',
      'rules',
      join(out, 'escalation-rules.yaml'),
    ]);
    expect(said.toString()).toContain('1 rules found');
  });

  testWith('promtool')(
    'an alert escalates once it has fired for its time, and only while it fires',
    () => {
      writeFileSync(
        join(folder, 'base.yaml'),
        `groups:
  - name: a
    rules: [{ alert: Storm, expr: 'storm > 0', for: 2m, labels: { severity: page, owner: sre, service: cart } }]
`,
      );
      const cli = spawnSync(process.execPath, [
        program('cli'),
        'alerts',
        'routes',
        'generate',
        '-f',
        example,
        '-o',
        folder,
      ]);
      expect(cli.status).toBe(0);
      writeFileSync(
        join(folder, 'test.yaml'),
        `rule_files: [base.yaml, escalation-rules.yaml]
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series: [{ series: 'storm', values: '0x9 1x90 0x60' }]
    alert_rule_test:
      - { eval_time: 30m, alertname: Escalated, exp_alerts: [] }
      - eval_time: 40m
        alertname: Escalated
        exp_alerts:
          - exp_labels: { escalates: Storm, escalation: '1', severity: page, owner: sre, service: cart }
            exp_annotations:
              summary: 'Storm of cart has fired for 35m 0s'
              description: >-
                platform was notified, and the alert still fires after 30m.
                Alertmanager does not know whether somebody works on it: ask, or look at the pager.
              runbook_url: https://runbooks.example/Storm
      - { eval_time: 55m, alertname: Escalated, exp_alerts: [] }
`,
      );
      const said = spawnSync(
        requireTool('promtool'),
        ['test', 'rules', join(folder, 'test.yaml')],
        { encoding: 'utf8' },
      );
      expect(said.stdout + said.stderr).toContain('SUCCESS');
    },
  );
});

/** Text to replace, its replacement, place of the mistake (line:column), and a pattern of the message. */
const mistakes: [string, string, string, RegExp][] = [
  ['kind: AlertRouting', 'kind: Routing', '2:7', /AlertRouting/],
  ['default: shop', 'default: shops', '3:10', /no team shops; expected shop/],
  ['default: shop', 'defaults: shop', '3:1', /unknown field 'defaults'/],
  ['page: {}', 'page: { wait: 5 minutes }', '5:17', /duration such as 5m/],
  ['page: {}', 'page: { wait: 0s }', '5:17', /duration/],
  ['page: {}', 'page: { during: office }', '5:19', /no schedule office/],
  ['  ticket: { wait: 5m }', '  ticket: { cool: 5m }', '6:13', /unknown field 'cool'/],
  ['      ticket: []\n', '', '10:7', /names no receiver for ticket/],
  ['ticket: []', 'tickets: []', '10:7', /ticket/],
  ['ticket: []', 'ticket: [{ pager: {} }]', '12:', /./],
  ["webhook: { url: 'https://pager.example/a' }", 'webhook: {}', '11:20', /either url or urlFile/],
  ["url: 'https://pager.example/a'", "url: 'pager.example'", '11:27', /URL such as/],
  [
    "url: 'https://pager.example/a'",
    "url: 'https://u:p@pager.example/a'",
    '11:22',
    /carries a secret/,
  ],
  [
    "url: 'https://pager.example/a'",
    "url: 'https://pager.example/?token=a'",
    '11:22',
    /carries a secret/,
  ],
  ["url: 'https://pager.example/a'", 'urlFile: /etc/u', '10:7', /needs Alertmanager 0.26/],
  [
    "webhook: { url: 'https://pager.example/a' }",
    'pagerduty: { routingKey: abc }',
    '11:24',
    /routingKeyFile, the path/,
  ],
  [
    "webhook: { url: 'https://pager.example/a' }",
    'opsgenie: { apiKey: abc }',
    '11:23',
    /apiKeyFile/,
  ],
  [
    "webhook: { url: 'https://pager.example/a' }",
    "slack: { apiUrl: 'https://hooks.slack.example/x', channel: '#a' }",
    '11:20',
    /secret/,
  ],
  [
    "webhook: { url: 'https://pager.example/a' }",
    'slack: { apiUrlFile: /etc/a, channel: a }',
    '11:49',
    /channel such as/,
  ],
  [
    "webhook: { url: 'https://pager.example/a' }",
    'opsgenie: { apiKeyFile: /etc/a, priority: P9 }',
    '11:53',
    /P1/,
  ],
  [
    "webhook: { url: 'https://pager.example/a' }",
    "email: { to: shop, from: a@b.c, smarthost: 'm:25' }",
    '11:24',
    /address/,
  ],
  [
    "webhook: { url: 'https://pager.example/a' }",
    'email: { to: a@b.c, from: a@b.c, smarthost: m }',
    '11:55',
    /host and port/,
  ],
  ['default: shop', 'default: shop\ntimezone: Europe/Atlantis', '4:11', /Europe\/Berlin/],
  [
    'default: shop',
    "default: shop\nschedules: { a: [{ days: 'friday:monday' }] }",
    '4:26',
    /run backwards/,
  ],
  ['default: shop', "default: shop\nschedules: { a: [{ days: 'mon' }] }", '4:26', /monday:friday/],
  ['default: shop', "default: shop\nschedules: { a: [{ from: '25:00' }] }", '4:26', /09:00/],
  [
    'default: shop',
    "default: shop\nschedules: { a: [{ from: '23:00', to: '01:00' }] }",
    '4:39',
    /two periods/,
  ],
  [
    'default: shop',
    "default: shop\ninhibit: { rules: [{ source: ['a'], target: ['b=\"c\"'] }] }",
    '4:31',
    /matcher such as/,
  ],
  [
    'default: shop',
    'default: shop\ntests: [{ name: a, labels: {}, at: yesterday, expect: [] }]',
    '4:36',
    /time such as/,
  ],
  ['teams:\n', 'teams:\n  - { name: shop, notify: { page: [], ticket: [] } }\n', '9:11', /twice/],
  [
    'teams:\n',
    'teams:\n  - { name: mall, owns: [shop], notify: { page: [], ticket: [] } }\n',
    '9:',
    /belongs to mall/,
  ],
  [
    '    notify:',
    '    escalate:\n' +
      '      - { after: 30m, to: [{ webhook: { url: http://a } }] }\n' +
      '      - { after: 20m, to: [{ webhook: { url: http://b } }] }\n    notify:',
    '11:18',
    /not later/,
  ],
];

describe('bad declarations: file, line, column, the mistake, the expected input', () => {
  test.each(mistakes)('%j -> %j', (from, to, place, words) => {
    const text = least.replace(from, () => to);
    expect(text).not.toBe(least);
    let error: unknown;
    try {
      readRoutingText('routing.yaml', text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(words);
    expect((error as UserError).message).toContain(`routing.yaml:${place}`);
  });
});

describe('decisions', () => {
  const config: AmConfig = {
    route: {
      receiver: 'root',
      group_by: ['service'],
      routes: [
        { matchers: ['audit="yes"'], receiver: 'audit', continue: true },
        {
          match: { team: 'a' },
          receiver: 'a',
          routes: [{ match_re: { env: 'prod|stage' }, receiver: 'a-prod', group_by: ['...'] }],
        },
        { matchers: ['team=~"b.*"', 'env!="dev"'], receiver: 'b', mute_time_intervals: ['night'] },
        { matchers: ['team="c"'], receiver: 'c', active_time_intervals: ['office'] },
      ],
    },
    inhibit_rules: [
      {
        source_matchers: ['severity="page"'],
        target_matchers: ['severity="ticket"'],
        equal: ['service', 'zone'],
      },
      { source_matchers: ['kind="both"'], target_matchers: ['kind="both"'] },
    ],
    time_intervals: [
      { name: 'night', time_intervals: [{ times: [{ start_time: '22:00', end_time: '24:00' }] }] },
      {
        name: 'office',
        time_intervals: [
          { weekdays: ['monday:friday'], times: [{ start_time: '09:00', end_time: '17:00' }] },
        ],
      },
    ],
    receivers: [],
  };
  const told = (
    labels: Record<string, string>,
    at = '2026-12-07T12:00:00Z',
    firing: Record<string, string>[] = [],
  ) => decide(config, labels, { atMs: Date.parse(at), firing, silences: [] }).told;

  test.each([
    [{}, ['root']],
    [{ team: 'a' }, ['a']],
    [{ team: 'a', env: 'stage' }, ['a-prod']],
    [{ team: 'a', env: 'stages' }, ['a']],
    [{ team: 'bb' }, ['b']],
    [{ team: 'bb', env: 'dev' }, ['root']],
    [{ audit: 'yes', team: 'a' }, ['audit', 'a']],
    [{ audit: 'yes' }, ['audit']],
  ])('%j tells %j', (labels, receivers) => {
    expect(told(labels)).toEqual(receivers);
  });

  test('intervals mute, or let through only within', () => {
    expect(told({ team: 'b' }, '2026-12-07T22:30:00Z')).toEqual([]);
    expect(told({ team: 'b' }, '2026-12-07T21:59:59Z')).toEqual(['b']);
    expect(told({ team: 'c' }, '2026-12-07T09:00:00Z')).toEqual(['c']);
    expect(told({ team: 'c' }, '2026-12-07T17:00:00Z')).toEqual([]);
    expect(told({ team: 'c' }, '2026-12-06T12:00:00Z')).toEqual([]);
  });

  test('inhibition wants equal labels, of which two that are missing are equal', () => {
    const page = { severity: 'page', service: 'cart' };
    expect(told({ severity: 'ticket', service: 'cart' }, undefined, [page])).toEqual([]);
    expect(told({ severity: 'ticket', service: 'pay' }, undefined, [page])).toEqual(['root']);
    expect(told({ severity: 'ticket', service: 'cart', zone: 'a' }, undefined, [page])).toEqual([
      'root',
    ]);
  });

  test('an alert on both sides of a rule does not inhibit another one', () => {
    expect(told({ kind: 'both', n: '1' }, undefined, [{ kind: 'both', n: '2' }])).toEqual(['root']);
  });

  test('a silence, and why', () => {
    const silence = {
      id: '1',
      comment: 'disks',
      createdBy: 'me',
      endsAt: 'x',
      matchers: parseMatchers('{service=~"c.*"}'),
    };
    const around = { atMs: 0, firing: [], silences: [silence] };
    expect(decide(config, { service: 'cart' }, around)).toMatchObject({
      told: [],
      silenced: { id: '1' },
    });
    expect(decide(config, { service: 'pay' }, around).told).toEqual(['root']);
  });

  test('the key of a route is that of Alertmanager', () => {
    const routes = [
      {
        matchers: ['"service.name"=~"a|b"', '"x y"="1"', 'b="c"', 'équipe="a\tb"'],
        match_re: { a: 'x' },
      },
    ];
    const own = { route: { receiver: 'r', routes }, receivers: [{ name: 'r' }] };
    const labels = { 'service.name': 'a', 'x y': '1', b: 'c', équipe: 'a\tb', a: 'x' };
    const [delivery] = decide(own, labels, quiet).deliveries;
    expect(delivery?.path.map((step) => step.key)).toEqual([
      '{}',
      '{a=~"^(?:x)$",b="c",service.name=~"a|b","x y"="1",équipe="a\tb"}',
    ]);
  });

  test('group labels are those that the alert has', () => {
    const [delivery] = decide(config, { service: 'cart', x: '1' }, quiet).deliveries;
    expect(delivery?.groupLabels).toEqual({ service: 'cart' });
    const [all] = decide(config, { team: 'a', env: 'prod' }, quiet).deliveries;
    expect(all?.groupLabels).toEqual({ team: 'a', env: 'prod' });
  });

  testWith('amtool')('random trees and labels: the same receivers as amtool', () => {
    const random = seededRandom(20_261_126);
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
    const names = ['a', 'b', 'c'];
    const values = ['x', 'y', 'zz', ''];
    let count = 0;
    const receivers: { name: string }[] = [];
    const tree = (depth: number): AmRoute => {
      const name = `r${count++}`;
      receivers.push({ name });
      const matchers = names
        .filter(() => random.below(2) === 0)
        .map(
          (n) =>
            matcherOf(n, pick(['=', '!=', '=~', '!~'] as const), pick([...values, 'x|y', 'z.*']))
              .text,
        );
      const routes =
        depth === 0 ? [] : Array.from({ length: random.below(4) }, () => tree(depth - 1));
      return {
        receiver: name,
        matchers: matchers.length > 0 ? matchers : ['a=~".*"'],
        continue: random.below(3) === 0,
        routes,
      };
    };
    for (let i = 0; i < 6; i++) {
      count = 0;
      receivers.length = 0;
      const { matchers: _m, continue: _c, ...root } = tree(3);
      const file = join(folder, `tree-${i}.yaml`);
      const one: AmConfig = { route: root, receivers };
      writeFileSync(file, configText(one));
      for (let j = 0; j < 12; j++) {
        const labels = Object.fromEntries(
          names.map((n) => [n, pick(values)]).filter(([, v]) => v !== ''),
        );
        const args = Object.entries(labels).map(([n, v]) => `${n}=${v}`);
        const said = execFileSync(
          requireTool('amtool'),
          ['config', 'routes', 'test', `--config.file=${file}`, ...args],
          { stdio: ['ignore', 'pipe', 'ignore'] },
        );
        const ours = decide(one, labels, quiet).deliveries.map((d) => d.receiver);
        expect(ours.join(','), `${file} ${args.join(' ')}`).toBe(said.toString().trim());
      }
    }
  });
});

describe('matchers are read as Alertmanager reads them', () => {
  test.each([
    ['foo=a b', 'foo="a b"'],
    ["foo=''", `foo="''"`],
    ['foo=', 'foo=""'],
    ['foo = =x', 'foo="=x"'],
    [String.raw`foo="x\"y\n\z"`, String.raw`foo="x\"y\n\\z"`],
    ['foo:bar=x', 'foo:bar="x"'],
    ['foo="a,b",team=~"x|y",', 'foo="a,b"', 'team=~"x|y"'],
    ['{foo="bar"', 'foo="bar"'],
    ['{}'],
    ['service.name=x', 'service.name="x"'],
    [String.raw`{"a \u00e4"!~"x", b=c}`, '"a ä"!~"x"', 'b="c"'],
    ['🙂="x"', '🙂="x"'],
    ['équipe="a\tb"', 'équipe="a\tb"'],
    [String.raw`équipe="\x41\U0001F642\303\266\a\\'"`, 'équipe="A🙂ö\u0007\\\\\'"'],
    ['foo="a\tb"', 'foo="a\tb"'],
    [String.raw`foo="\u2764"`, String.raw`foo="\\u2764"`],
  ])('%s', (text, ...read) => {
    expect(parseMatchers(text).map((m) => m.text)).toEqual(read);
  });

  test.each([
    'foo',
    '=x',
    'foo="x"y"',
    'foo=x"y',
    'foo!x',
    ',foo=x',
    'foo=x,,team=y',
    'service.name=x y',
    'service.name=x,team=y z',
    "'foo'=x",
    'foo="a" team="b"',
    'équipe="a\nb"',
    String.raw`équipe="\'"`,
    String.raw`équipe="\/"`,
    String.raw`équipe="\xff"`,
  ])('%s is refused', (text) => {
    expect(() => parseMatchers(text)).toThrow('such as severity="page"');
  });

  test('a dot is no line feed, unlike in Prometheus', () => {
    const [matcher] = parseMatchers('team=~".+"');
    expect(matcher?.matches({ team: 'a b\r' })).toBe(true);
    expect(matcher?.matches({ team: 'a\nb' })).toBe(false);
  });

  test('a label of any name decides the way', () => {
    const [matcher] = parseMatchers('"service.name"=~"a.*"');
    expect(matcher?.matches({ 'service.name': 'ab' })).toBe(true);
    expect(matcher?.matches({ service_name: 'ab' })).toBe(false);
  });
});

describe('time intervals', () => {
  const at = (text: string) => Date.parse(text);

  test.each([
    [{ days_of_month: ['-1'] }, '2026-02-28T12:00:00Z', true],
    [{ days_of_month: ['-1'] }, '2026-02-27T12:00:00Z', false],
    [{ days_of_month: ['1:7', '-1'] }, '2026-03-07T12:00:00Z', true],
    [{ months: ['december:december'] }, '2026-12-01T00:00:00Z', true],
    [{ months: ['1:3'] }, '2026-04-01T00:00:00Z', false],
    [{ years: ['2026:2027'] }, '2027-06-01T00:00:00Z', true],
    [{ weekdays: ['saturday', 'sunday'] }, '2026-12-06T00:00:00Z', true],
    [{ weekdays: ['friday:monday'] }, '2026-12-06T00:00:00Z', true],
    [{ weekdays: ['friday:monday'] }, '2026-12-07T00:00:00Z', true],
    [{ weekdays: ['friday:monday'] }, '2026-12-08T00:00:00Z', false],
    [{ times: [{ start_time: '00:00', end_time: '24:00' }] }, '2026-12-06T23:59:59Z', true],
    // 23:30 in Berlin is still the day before in UTC.
    [{ weekdays: ['monday'], location: 'Europe/Berlin' }, '2026-12-06T23:30:00Z', true],
    [
      { times: [{ start_time: '09:00', end_time: '10:00' }], location: 'Europe/Berlin' },
      '2026-07-01T07:30:00Z',
      true,
    ],
    [
      { times: [{ start_time: '09:00', end_time: '10:00' }], location: 'Europe/Berlin' },
      '2026-12-01T07:30:00Z',
      false,
    ],
  ])('%j at %s', (interval, time, expected) => {
    expect(contains(interval, at(time))).toBe(expected);
  });

  test('the clock on a wall, through the changes of summer time', () => {
    const berlin = (month: number, day: number, minute: number) =>
      new Date(momentOf({ year: 2026, month, day, minute }, 'Europe/Berlin')).toISOString();
    expect(berlin(3, 28, 120)).toBe('2026-03-28T01:00:00.000Z');
    expect(berlin(3, 30, 120)).toBe('2026-03-30T00:00:00.000Z');
    expect(berlin(10, 25, 240)).toBe('2026-10-25T03:00:00.000Z');
  });
});

describe('the command', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [program('cli'), 'alerts', ...args], { encoding: 'utf8' });

  test('route shows receivers and reasons, and whether they were expected', () => {
    const labels = 'alertname=MeshProxiesDisconnected,severity=page,owner=platform,service=mesh';
    const told = run('route', '-f', example, '--labels', labels, '--expect', 'platform-page');
    expect(told.status).toBe(0);
    expect(told.stdout).toContain('notifies platform-page');
    expect(told.stdout).toContain(
      'root > route 3 (owner=~"platform|sre") > route 1 (severity="page")',
    );
    expect(told.stdout).toContain('group_wait 30s, group_interval 5m');
    const cause = 'alertname=MeshControlPlaneDown,severity=page';
    const hidden = run(
      'route',
      '-f',
      example,
      '--labels',
      labels,
      '--firing',
      cause,
      '--format',
      'json',
    );
    expect(JSON.parse(hidden.stdout)).toMatchObject({
      told: [],
      inhibited: { by: { severity: 'page' } },
    });
    const other = run('route', '-f', example, '--labels', labels, '--expect', 'shop-page');
    expect([other.status, other.stderr.trim()]).toEqual([1, 'expected shop-page']);
    const at = run(
      'route',
      '-f',
      example,
      '--labels',
      'severity=ticket',
      '--at',
      '2026-12-05T12:00:00Z',
    );
    expect(at.stdout).toContain('muted now: outside office');
  });

  test.each([
    [['route', '--labels', 'a=b'], 'either --file or --config'],
    [['route', '-f', example, '--labels', 'a'], 'labels such as'],
    [['route', '-f', example, '--labels', 'a=b', '--at', 'soon'], '--at soon'],
    [['route', '--config', join(folder, 'none.yaml'), '--labels', 'a=b'], 'no such file'],
    [
      ['route', '-f', example, '--labels', 'a=b', '--alertmanager', 'localhost'],
      'http://host:9093',
    ],
    [['routes', 'generate', '-f', join(folder, 'none.yaml'), '-o', '-'], 'no such file'],
  ])('%j', (args, words) => {
    const result = run(...args);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(words);
    expect(result.stdout).toBe('');
  });

  test('a test that fails names its line and shows the way', () => {
    const file = join(folder, 'failing.yaml');
    writeFileSync(
      file,
      readFileSync(example, 'utf8').replace('expect: [platform-page]', 'expect: [shop-page]'),
    );
    const result = run('routes', 'test', '-f', file);
    expect(result.status).toBe(1);
    expect(result.stdout).toMatch(
      /failing\.yaml:\d+:13: a retry storm .*: platform-page is notified; expected shop-page/,
    );
    expect(result.stdout).toContain('9 of 10 tests passed');
  });

  test('a file without tests, as init writes it, is judged by the alerts', () => {
    const file = join(folder, 'begun.yaml');
    expect(run('routes', 'init', '-i', 'examples/slo/retail.yaml', '-o', file).status).toBe(0);
    expect(run('routes', 'test', '-f', file).stderr).toContain('or alerts by -i SLOS');
    const { status, stdout } = run('routes', 'test', '-f', file, '-i', 'examples/slo/retail.yaml');
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/^each of \d+ alerts has a team\nno tests\n$/),
    ]);
  });
});

test('labels of a command line', () => {
  expect(parseLabels('a=b,c="d, e",f=', '--labels')).toEqual({ a: 'b', c: 'd, e', f: '' });
  expect(() => parseLabels('a=~b', '--labels')).toThrow('labels such as');
});

describe('owners that no team has', () => {
  const slo = (owner: string): string => `apiVersion: firedrill.dev/v1
service: orders
owner: ${owner}
slos:
  - name: availability
    objective: 99.9
    sli: { events: { bad: 'errors_total', total: 'requests_total' } }
`;
  const declared = join(folder, 'unowned-routing.yaml');
  writeFileSync(declared, least);
  const teams = readRoutingText('r.yaml', least).teams;
  const own = teams[0]!.owns?.[0] ?? teams[0]!.name;
  const [good, bad] = [join(folder, 'good-slo.yaml'), join(folder, 'bad-slo.yaml')];
  writeFileSync(good, slo(own));
  writeFileSync(bad, slo(`${own}s`));
  const rules = join(folder, 'unowned-rules.yaml');
  writeFileSync(
    rules,
    `groups:
- name: g
  rules:
  - alert: Lost
    expr: up == 0
    labels: { severity: urgent, service: lost }
`,
  );

  test('each is named once, with its place and the owner that was meant', async () => {
    const alerts = alertsIn([bad], [rules]);
    const texts = unownedProblems(readRoutingText('r.yaml', least), alerts).map(formatProblem);
    expect(texts.join('\n')).toMatch(
      new RegExp(`bad-slo.yaml:\\d+:\\d+: no team owns '${own}s': it goes to the default team`),
    );
    expect(texts.join('\n')).toContain(`expected ${own}`);
    expect(texts.join('\n')).toMatch(
      /unowned-rules.yaml:4:5: an alert has no owner and no team for 'lost'/,
    );
    expect(texts.join('\n')).toMatch(/no severity 'urgent' is declared/);
    expect(unownedProblems(readRoutingText('r.yaml', least), alertsIn([good], []))).toEqual([]);
  });
});

test('a first declaration has a team for each owner, and routes every alert to it', () => {
  const alert = (name: string, labels: Record<string, string>) => ({
    name,
    labels,
    place: undefined,
  });
  const alerts = [
    alert('A', { owner: 'money', severity: 'page', service: 'pay' }),
    alert('B', { owner: 'shop', severity: 'ticket', service: 'cart' }),
    alert('C', { severity: 'ticket', service: 'orphan' }),
  ];
  const routing = readRoutingText('r.yaml', declarationOf(alerts));
  expect(routing.teams.map((t) => t.name)).toEqual(['money', 'shop']);
  expect(Object.keys(routing.severities)).toEqual(['page', 'ticket']);
  expect(unownedProblems(routing, alerts)).toEqual([]);
  const told = alerts.map(({ name, labels }) => {
    return decide(compileRouting(routing), { ...labels, alertname: name }, quiet).told;
  });
  expect(told).toEqual([
    [expect.stringContaining('money')],
    [expect.stringContaining('shop')],
    [expect.stringContaining('money')],
  ]);
  expect(() => declarationOf([alert('D', { severity: 'page' })])).toThrow('no alert has an owner');
  const run = spawnSync(process.execPath, [program('cli'), 'alerts', 'routes', 'init']);
  expect([run.status, run.stderr.toString()]).toEqual([2, expect.stringContaining('no alert to')]);
});
