/** Steps before the rules began, from a real Prometheus, as blocks that another one reads. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { History, HistoryServer } from '../../bench/slo-prometheus.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { testWith } from '../tools.js';

const endMs = Date.UTC(2026, 4, 20, 12);
const hourMs = 3_600_000;
const history = new History();
afterAll(() => history.remove());

testWith('prometheus', 'promtool')(
  'the steps of two days add up to the events',
  async () => {
    const startMs = endMs - 48 * hourMs;
    let [total, bad] = [0, 0];
    const counted = { total: 0, bad: 0 };
    for (let t = startMs - 600_000; t <= endMs; t += 15_000) {
      // A restart, after a step: one before it would lose the last sample.
      if (t === startMs + 7 * hourMs + 15_000) [total, bad] = [0, 0];
      const failed = Math.floor(t / 15_000) % 5;
      total += 10;
      bad += failed;
      if (t > startMs) counted.total += 10;
      if (t > startMs) counted.bad += failed;
      history.add('requests_total{job="web",instance="a",code="200"}', total - bad, t);
      history.add('requests_total{job="web",instance="a",code="500"}', bad, t);
    }
    history.seal();
    const server = await HistoryServer.start(history);
    const slo = join(history.folder, 'slo.yaml');
    writeFileSync(
      slo,
      `apiVersion: firedrill.dev/v1
service: web
slos:
  - { name: bad, objective: 99, sli: { events: { bad: 'requests_total{code="500"}', total: requests_total } } }
  - { name: good, objective: 99, sli: { events: { good: 'requests_total{code="200"}', total: requests_total } } }
`,
    );
    const out = join(history.folder, 'steps.om');
    const times = [
      '--from',
      new Date(startMs).toISOString(),
      '--to',
      new Date(endMs).toISOString(),
    ];
    const args = [program('cli'), 'slo', 'backfill', '-i', slo, '-o', out, '--prometheus'];
    execFileSync(process.execPath, [...args, server.url, ...times]);
    await server.stop();
    const make = ['tsdb', 'create-blocks-from', 'openmetrics', '-q', out];
    execFileSync(findTool('promtool') as string, [...make, join(history.folder, 'data')]);
    const again = await HistoryServer.start(history);
    for (const name of ['bad', 'good']) {
      for (const step of ['30s', '4m']) {
        for (const side of ['total', 'bad'] as const) {
          const query = `sum_over_time(slo:events_${side}:increase${step}{slo="web-${name}",service="web"}[49h])`;
          const { result } = await again.query(query, endMs);
          expect([query, Number(result[0]?.value?.[1])]).toEqual([query, counted[side]]);
        }
      }
    }
    await again.stop();
  },
  120_000,
);

testWith('prometheus')('times in the wrong order are refused', () => {
  const args = [
    'slo',
    'backfill',
    '-i',
    '-',
    '-o',
    '-',
    '--from',
    '2026-05-02',
    '--to',
    '2026-05-01',
  ];
  const run = spawnSync(process.execPath, [program('cli'), ...args], { input: '' });
  expect([run.status, run.stderr.toString()]).toEqual([
    2,
    expect.stringContaining('in order and past'),
  ]);
});

test('a Prometheus that does not answer leaves the file as it was, and nothing beside it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'backfill-'));
  const slo = join(folder, 'slo.yaml');
  const sli = '{ events: { bad: bad_total, total: all_total } }';
  writeFileSync(
    slo,
    `apiVersion: firedrill.dev/v1\nservice: web\nslos:\n  - { name: a, objective: 99, sli: ${sli} }\n`,
  );
  const out = join(folder, 'steps.om');
  writeFileSync(out, 'of last month\n');
  const times = ['--from', '2026-05-01', '--to', '2026-05-02'];
  const args = ['slo', 'backfill', '-i', slo, '-o', out, '--prometheus', 'http://127.0.0.1:1'];
  const run = spawnSync(process.execPath, [program('cli'), ...args, ...times]);
  expect(run.status).not.toBe(0);
  expect(run.stderr.toString()).toContain('127.0.0.1:1');
  expect(readFileSync(out, 'utf8')).toBe('of last month\n');
  expect(readdirSync(folder).sort()).toEqual(['slo.yaml', 'steps.om']);
  rmSync(folder, { recursive: true, force: true });
});
