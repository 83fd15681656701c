/** The reviews: the behaviour of alerts, the silences, and the drills. */
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { sleep } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import { resultOf } from '../../runbooks/report/result.js';
import { historyOf } from '../../runbooks/routine/alerts.js';
import { gameDaysOf, silencesOf } from '../../runbooks/routine/gather.js';
import { routineReport } from '../../runbooks/routine/render.js';
import { testWith } from '../tools.js';
import { badGameDay, goodGameDay } from './fixture.js';
import { leaks } from './records.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-routine-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const minute = 60_000;
const atMs = Date.UTC(2026, 4, 15);

test('samples of ALERTS become firings; series of one alert that overlap are one', () => {
  const at = (...minutes: number[]): [number, number][] => minutes.map((m) => [m * minute, 1]);
  const labels = { alertname: 'A', severity: 'page', service: 's' };
  const history = historyOf(
    [
      { labels, points: at(1, 2, 3, 10, 11) },
      { labels, points: at(3, 4) },
      { labels: { ...labels, severity: 'ticket' }, points: at(50) },
    ],
    minute,
  );
  const minutesOf = (i: number) =>
    history[i]?.firings.map((f) => [f.startMs / minute, f.endMs / minute]);
  expect(history.map((h) => h.severity)).toEqual(['page', 'ticket']);
  expect(minutesOf(0)).toEqual([
    [1, 5],
    [10, 12],
  ]);
  expect(minutesOf(1)).toEqual([[50, 51]]);
});

const noisy = {
  name: 'PaymentLatency',
  severity: 'page',
  service: 'payment',
  firings: [1, 2, 3, 4].map((day) => ({
    startMs: atMs - day * 86_400_000,
    endMs: atMs - day * 86_400_000 + (day === 1 ? 40 : 3) * minute,
  })),
};

test('a quarter with a noisy page, a long silence, and game days', () => {
  const text = routineReport({
    routine: 'quarterly',
    atMs,
    alerts: [noisy],
    silences: [
      {
        matchers: 'alertname="X" team=~"a|b"',
        by: 'ana',
        comment: 'migration | phase 2',
        startMs: atMs - 10 * 86_400_000,
        endMs: atMs + 86_400_000,
      },
    ],
    gameDays: [resultOf(badGameDay()), resultOf(goodGameDay())],
    budgets: '## payment\n\n| a | b |\n',
  });
  expect(text).toMatchSnapshot();
});

test('what was not asked is said, and nothing is made up', () => {
  const text = routineReport({ routine: 'weekly', atMs });
  expect(text).toContain('## What stands out\n\nNothing was asked (');
  expect(text).toContain('No Prometheus was asked (`--prometheus`).');
  expect(text).not.toMatch(leaks);
});

test('a critical alert is a page, and days without data are not counted', () => {
  const facts = {
    routine: 'quarterly',
    atMs,
    alerts: [{ ...noisy, severity: 'critical' }],
  } as const;
  const young = routineReport({ ...facts, alerts: [...facts.alerts], daysSeen: 14 });
  expect(young).toContain('of 14.0 of the 90 days: the figures are of these alone');
  expect(young).toContain('4 pages, 2.0 a week.');
  const blind = routineReport({ routine: 'weekly', atMs, alerts: [], daysSeen: 0 });
  expect(blind).not.toMatch(/0 pages|None fired/);
  expect(blind.match(/whether an alert fired is not known/g)).toHaveLength(2);
});

test('game days are found in folders, and only those of the period count', () => {
  for (const [name, record] of [
    ['a', goodGameDay()],
    ['b', badGameDay()],
  ] as const) {
    mkdirSync(join(folder, 'days', name), { recursive: true });
    writeFileSync(join(folder, 'days', name, 'result.json'), JSON.stringify(resultOf(record)));
  }
  const { startedMs } = goodGameDay();
  expect(gameDaysOf([join(folder, 'days')], 0, atMs)).toHaveLength(2);
  expect(gameDaysOf([join(folder, 'days', 'a')], 0, atMs)).toHaveLength(1);
  expect(gameDaysOf([join(folder, 'days')], startedMs + 1, atMs)).toHaveLength(0);
  expect(() => gameDaysOf([join(folder, 'none')], 0, atMs)).toThrow(
    /cannot be read; expected a game day's/,
  );
});

const firedrill = (args: string[]) =>
  spawnSync(process.execPath, [program('cli'), 'routine', ...args], {
    cwd: folder,
    encoding: 'utf8',
  });

test('from the command line, and its mistakes', async () => {
  const run = firedrill(['monthly', '--game-days', 'days', '--at', '2026-05-15T00:00:00Z']);
  expect([run.status, run.stderr]).toEqual([0, '']);
  expect(run.stdout).toContain('# Monthly review, 2026-04-15 to 2026-05-15');
  expect(run.stdout).toContain('Not drilled in this time: F2, F5, F6, F7.');
  expect(firedrill(['daily'])).toMatchObject({
    status: 2,
    stderr: "no routine 'daily'; expected weekly, monthly, quarterly\n",
  });
  expect(firedrill(['weekly', '-i', 'slo.yaml']).stderr).toBe(
    'budgets (-i) are read from a Prometheus: --prometheus is missing\n',
  );
  expect(firedrill(['weekly', '--alertmanager', 'http://127.0.0.1:9']).status).toBe(5);
});

test('firings are asked of a Prometheus', async () => {
  const server = createServer((_, response) => {
    const start = atMs / 1000 - 3600;
    const values = [0, 158, 900].map((s) => [start + s, '1']);
    const metric = { alertname: 'MeshRetryStorm', severity: 'page', service: 'payment' };
    const data = { resultType: 'matrix', result: [{ metric, values }] };
    response.end(JSON.stringify({ status: 'success', data }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(
    process.execPath,
    [program('cli'), 'routine', 'weekly', '--prometheus', url, '--at', '2026-05-15T00:00:00Z'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await new Promise((resolve) => child.on('close', resolve));
  server.close();
  // Steps of 151 s: the first two samples are too far apart to be one firing.
  expect(out).toContain('| MeshRetryStorm | page | payment | 3 | 3 | 7 min 34 s | 2 min 31 s |');
});

testWith('alertmanager')('silences are read from a real Alertmanager', async () => {
  const config = join(folder, 'am.yaml');
  writeFileSync(config, 'route: { receiver: none }\nreceivers: [{ name: none }]\n');
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    requireTool('alertmanager'),
    [
      `--config.file=${config}`,
      `--storage.path=${join(folder, 'am')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  );
  try {
    const deadline = performance.now() + 25_000;
    while (performance.now() < deadline) {
      if (
        await fetch(`${url}/-/ready`).then(
          (r) => r.ok,
          () => false,
        )
      )
        break;
      await sleep(50);
    }
    const now = Date.now();
    const posted = await fetch(`${url}/api/v2/silences`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        matchers: [
          { name: 'alertname', value: 'Mesh.*', isRegex: true, isEqual: true },
          { name: 'team', value: 'the "shop"', isRegex: false, isEqual: false },
        ],
        startsAt: new Date(now).toISOString(),
        endsAt: new Date(now + 3_600_000).toISOString(),
        createdBy: 'ana',
        comment: 'rack move',
      }),
    });
    expect(posted.ok).toBe(true);
    const [silence] = await silencesOf(url, now - minute);
    expect(silence).toMatchObject({
      matchers: 'alertname=~"Mesh.*", team!="the \\"shop\\""',
      by: 'ana',
      comment: 'rack move',
    });
    expect(await silencesOf(url, now + 7_200_000)).toEqual([]);
  } finally {
    child.kill('SIGKILL');
  }
});
