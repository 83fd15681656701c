/** A postmortem of a real incident: from an API that answers like Prometheus and Alertmanager, and from Git. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blankText, incidentText } from '../../runbooks/postmortem/incident/command.js';
import { plottedOf } from '../../runbooks/postmortem/incident/graphs.js';
import type { Incident } from '../../runbooks/postmortem/incident/model.js';
import { sparkline } from '../../runbooks/postmortem/incident/plot.js';
import { lintPostmortem, requiredSections } from '../../runbooks/postmortem/lint.js';

const from = Date.parse('2026-05-01T10:00:00Z');
const to = Date.parse('2026-05-01T11:00:00Z');
const at = (minutes: number): number => from / 1000 + minutes * 60;
const folder = mkdtempSync(join(tmpdir(), 'firedrill-incident-'));
let isScraped = false;
let server: Server;
let url: string;

type Series = { metric: Record<string, string>; values: [number, string][] };

/** Every five seconds between two minutes. */
const points = (start: number, end: number, value: (s: number) => number): [number, string][] => {
  const found: [number, string][] = [];
  for (let s = at(start); s < at(end); s += 5) found.push([s, String(value(s))]);
  return found;
};

const errors = { alertname: 'CartErrors', severity: 'page', namespace: 'shop', service: 'cart' };
const down = (i: number): Record<string, string> => ({
  alertname: 'PodDown',
  severity: 'ticket',
  namespace: 'shop',
  job: 'cart',
  instance: `10.0.${i}.7:9102`,
  workload: `cart-${i % 3}`,
});
/** Two pages, and 170 tickets of one cause. */
const alerts: { labels: Record<string, string>; start: number; end: number }[] = [
  { labels: errors, start: 12, end: 40 },
  { labels: errors, start: 50, end: 52 },
  ...Array.from({ length: 170 }, (_, i) => ({ labels: down(i), start: 11, end: 60 })),
];

/** One series for the same labels, regardless of their times. */
function seriesOf(name: string, of: (a: (typeof alerts)[number]) => [number, string][]): Series[] {
  const byLabels = new Map<string, Series>();
  for (const alert of alerts) {
    const key = JSON.stringify(alert.labels);
    const metric = { __name__: name, alertstate: 'firing', ...alert.labels };
    const series: Series = byLabels.get(key) ?? { metric, values: [] };
    series.values.push(...of(alert));
    byLabels.set(key, series);
  }
  return [...byLabels.values()];
}

function ranged(query: string): Series[] {
  if (query.includes('nothing')) return [];
  if (query.startsWith('ALERTS{'))
    return seriesOf('ALERTS', (a) => points(a.start, a.end, () => 1));
  if (query.startsWith('ALERTS_FOR_STATE')) {
    return seriesOf('ALERTS_FOR_STATE', (a) => points(a.start - 2, a.end, () => at(a.start - 2)));
  }
  if (query.startsWith('max(')) {
    const metric = {};
    return [{ metric, values: points(0, 60, (s) => (s > at(10) && s < at(40) ? 0.3 : 0.001)) }];
  }
  return [];
}

function instant(query: string): { metric: Record<string, string>; value: [number, string] }[] {
  const one = (labels: Record<string, string>, value: number) => [
    { metric: labels, value: [to / 1000, String(value)] as [number, string] },
  ];
  if (query.startsWith('count(count_over_time(up[')) return isScraped ? one({}, 3) : [];
  if (query.startsWith('ALERTS{')) {
    if (query.includes('justEnded')) return [];
    return seriesOf('ALERTS', (a) => (a.end === 60 ? [[to / 1000, '1']] : [])).flatMap(
      ({ metric, values: [value] }) => (value ? [{ metric, value }] : []),
    );
  }
  if (query.includes('notifications_total[')) return one({ integration: 'pagerduty' }, 3.1);
  if (query.startsWith('sum by (slo) (sum_over_time(slo:events_bad'))
    return one({ slo: 'cart' }, 120);
  if (query.startsWith('sum by (slo) (sum_over_time(slo:events_total'))
    return one({ slo: 'cart' }, 4000);
  if (query.includes('slo:objective:ratio')) return one({ slo: 'cart' }, 0.99);
  if (query.includes('slo:time_period:days')) return one({ slo: 'cart' }, 30);
  if (query.startsWith('sum(sum_over_time(slo:events_total')) return one({}, 100_000);
  return [];
}

const rule = (name: string, query: string, severity: string) => ({
  type: 'alerting',
  name,
  query,
  duration: 120,
  labels: { severity },
  annotations: { summary: 'People cannot fill their carts.', runbook_url: 'https://x/cart' },
});

function answer(path: string, parameters: URLSearchParams): unknown {
  const query = parameters.get('query') ?? '';
  switch (path) {
    case '/api/v1/query_range':
      return { status: 'success', data: { result: ranged(query) } };
    case '/api/v1/query':
      return { status: 'success', data: { result: instant(query) } };
    case '/api/v1/label/__name__/values':
      return { status: 'success', data: ['up', 'slo:events_bad:increase1m'] };
    case '/api/v1/rules': {
      const rules = [
        rule('CartErrors', 'sum(rate(e[5m])) / sum(rate(r[5m])) > (14.4 * 0.001)', 'page'),
        rule('PodDown', 'absent(up{job="cart"})', 'ticket'),
      ];
      return { data: { groups: [{ name: 'g', interval: 15, rules }] } };
    }
    case '/api/v1/status/buildinfo':
      return { data: { version: '3.5.0' } };
    case '/api/v2/status': {
      const original =
        'route: { receiver: oncall, group_by: [alertname, namespace] }\nreceivers: [{ name: oncall }]\n';
      return { versionInfo: { version: '0.28.0' }, config: { original } };
    }
    case '/api/v2/silences':
      return [
        {
          matchers: [{ name: 'alertname', value: 'PodDown', isRegex: false, isEqual: true }],
          startsAt: new Date(from + 20 * 60_000).toISOString(),
          endsAt: new Date(to + 60_000).toISOString(),
          createdBy: 'somebody',
          comment: 'known | being looked at',
        },
      ];
    default:
      return undefined;
  }
}

beforeAll(async () => {
  server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const { pathname } = new URL(request.url ?? '/', 'http://x');
      const value = answer(pathname, new URLSearchParams(body));
      response.writeHead(value === undefined ? 404 : 200).end(JSON.stringify(value ?? {}));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const git = (when: string, ...args: string[]): void => {
    const env = { ...process.env, GIT_AUTHOR_DATE: when, GIT_COMMITTER_DATE: when };
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@b.c'];
    execFileSync('git', ['-C', folder, ...who, ...args], { env, stdio: 'ignore' });
  };
  git('', 'init', '-q');
  for (const [when, subject] of [
    ['2026-05-01T09:55:00Z', 'cart: a new cache'],
    ['2026-05-01T10:30:00Z', 'Revert "cart: a new cache"'],
    ['2026-05-01T12:00:00Z', 'later'],
  ] as const) {
    writeFileSync(join(folder, 'file'), subject);
    git(when, 'add', '.');
    git(when, 'commit', '-qm', subject);
  }
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const flags = (out: string) => ({
  prometheus: url,
  alertmanager: url,
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
  matcher: [],
  git: [folder],
  out,
});

test('two pages and 170 tickets are two groups; each line says where it is from', async () => {
  const text = await incidentText(flags('pm.md'));
  const section = (name: string): string => text.split(`## ${name}\n`)[1]!.split('\n## ')[0]!;
  expect(section('Detection')).toContain(
    '| **CartErrors** (page) namespace=shop | 10:10:00.0 | 2 min | oncall |',
  );
  expect(section('Detection')).toContain('170 alerts: workload cart-0, cart-1, cart-2');
  expect(text).not.toContain('10.0.5.7');
  expect(text.split('\n').length).toBeLessThan(120);
  expect(section('Timeline')).toContain(
    '| 10:52:00.0 | ends: **CartErrors** (page) namespace=shop',
  );
  expect(section('Timeline')).toContain('silence begins: alertname="PodDown": known \\| being');
  expect(section('Deployments')).toMatch(
    /before it: `\w{10}` cart: a new cache \(source: `git log/,
  );
  expect(section('Deployments')).not.toContain('later');
  expect(section('Error budget')).toContain('120 bad events, 12.0% of the budget');
  expect(section('What the rules measured')).toMatch(
    /CartErrors: `[▁█]{40}` 0\.001 to 0\.3; fires at \\?> 0\.0144/,
  );
  expect(section('What was not measured')).toContain('the graph of PodDown: its expression is not');
  const said = text
    .split('\n')
    .filter((l) => /^(- |\| \d)/.test(l) && !/^- (Date|Status|Authors|Source)/.test(l));
  const unsaid = said.filter((l) => !/source: `|TO FILL|Not measured|`\S+.*` \|$/.test(l));
  expect(unsaid.filter((l) => !section('What was not measured').includes(l))).toEqual([]);
});

test('an alert that ended after the last step is over', async () => {
  const text = await incidentText({ ...flags('pm.md'), matcher: ['justEnded="1"'] });
  expect(text).not.toContain('Not over');
  expect(await incidentText(flags('pm.md'))).toContain('- Not over at 2026-05-01');
});

test('where nothing was scraped, nobody knows whether an alert fired', async () => {
  const nothing = { ...flags('pm.md'), matcher: ['of="nothing"'] };
  const unknown = await incidentText(nothing);
  expect(unknown).not.toContain('No alert fired');
  expect(unknown).toContain('- Alerts. Not measured: Prometheus scraped nothing');
  isScraped = true;
  expect(await incidentText(nothing)).toContain('- No alert fired between');
});

test('it has the shape that the lint wants, and only prompts are left', async () => {
  const text = await incidentText(flags('pm.md'));
  const left = lintPostmortem('pm.md', text).map((p) => p.message);
  expect(left.filter((m) => !/the placeholder 'TO FILL'|still a draft|an action/.test(m))).toEqual(
    [],
  );
  for (const name of requiredSections) {
    expect(blankText({ out: '-', title: 'x' })).toContain(`## ${name}\n`);
  }
});

test('one HTML file with its plots, and JSON with all that was found', async () => {
  const html = await incidentText(flags('pm.html'));
  expect(html).toContain('<svg');
  expect(html).not.toMatch(/<(script|link|img)\b/);
  const { incident } = JSON.parse(await incidentText(flags('pm.json'))) as { incident: Incident };
  expect(incident.groups.map((g) => [g.names, g.severity, g.alerts, g.times])).toEqual([
    [['PodDown'], 'ticket', 170, 170],
    [['CartErrors'], 'page', 1, 2],
  ]);
  expect(incident.notifications).toEqual([{ integration: 'pagerduty', count: 3, failed: 0 }]);
  expect(incident.budgets[0]).toMatchObject({
    slo: 'cart',
    spentOfPeriod: expect.closeTo(0.12) as number,
  });
});

test('without an Alertmanager and Git, what they would have said is said to be missing', async () => {
  const { alertmanager: _, ...rest } = flags('pm.md');
  const text = await incidentText({ ...rest, git: [] });
  expect(text).toContain('silences, routes and grouping: no --alertmanager was given');
  expect(text).toContain('Not measured: no --git was given');
  expect(text).toContain('grouped by name, severity, namespace and service');
  await expect(incidentText({ ...rest, from: 'yesterday' })).rejects.toThrow(
    "bad --from 'yesterday'",
  );
  await expect(incidentText({ ...rest, to: '2h', from: '1h' })).rejects.toThrow('not before --to');
  const gone = { ...rest, prometheus: 'http://127.0.0.1:1' };
  await expect(incidentText(gone)).rejects.toThrow(/does not return its rules: ./);
});

test.each([
  ['no list', '{"data":{"groups":null}}', 'data.groups: expected a list'],
  [
    'a rule without a query',
    '{"data":{"groups":[{"name":"g","interval":1,"rules":[{"type":"alerting","name":"A"}]}]}}',
    'data.groups.0.rules.0.query: ',
  ],
  ['a page', '<html>', 'is not valid JSON'],
])('a server whose rules are %s is told by what is wrong', async (_, body, message) => {
  const server = createServer((__, response) => void response.end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const at = { ...flags('pm.md'), prometheus: `http://127.0.0.1:${port}` };
  await expect(incidentText(at)).rejects.toThrow(message);
  server.close().closeAllConnections();
});

test('what a rule compares is found in it', () => {
  expect(plottedOf('a / b > 0.05')).toEqual({ expr: 'a / b', op: '>', threshold: 0.05 });
  expect(plottedOf('(2 < a) and b > 1')).toEqual({ expr: 'a', op: '>', threshold: 2 });
  expect(plottedOf('absent(up)')).toBeUndefined();
  expect(
    sparkline([
      [0, 1],
      [40, 1],
    ]),
  ).toBe(`▁${' '.repeat(38)}▁`);
});
