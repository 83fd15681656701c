/** Packs an incident from the embedded server on a stepped clock, and from a real Prometheus. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readStory } from '../../alerts/proof/backtest/incidents.js';
import { readsOf } from '../../alerts/proof/pack/recorded.js';
import { packIncident } from '../../alerts/proof/pack/run.js';
import { matched } from '../../alerts/proof/pack/replay.js';
import { runSuite } from '../../alerts/proof/unit/suite.js';
import { freePort } from '../../alerts/watch/prometheus.js';
import { startServing } from '../../alerts/watch/serve/run.js';
import { startGuarded } from '../../base/child.js';
import { realClock, SimulatedClock, sleep } from '../../base/clock.js';
import { findTool } from '../../base/tools.js';
import { readScenarioFile } from '../../chaos/scenarios/read.js';
import type { AlertingRule } from '../../slo/index.js';
import { remoteWriteBody } from '../remote-write-body.js';
import { testWith } from '../tools.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-pack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rules = (interval: string, pending: string, range: string): string => `groups:
  - name: shop
    interval: ${interval}
    rules:
      - record: 'job:failing:share'
        expr: sum by (job) (rate(bad_total[${range}])) / sum by (job) (rate(all_total[${range}]))
      - alert: Failing
        expr: job:failing:share > 0.1
        for: ${pending}
        labels: { severity: page }
        annotations: { summary: '{{ $labels.job }} fails' }
      - { alert: Gone, expr: 'alive == 0', labels: { severity: ticket } }
      - { alert: Never, expr: 'alive > 5' }
`;

/** The reason why a file of tests fails; empty if it passes. */
const failuresOf = (file: string): string[] =>
  runSuite([file], {
    run: undefined,
    strict: true,
    ignoreUnknownFields: false,
    closedRanges: false,
    features: [],
    clock: realClock,
  }).files.flatMap((f) => (f.passed ? [] : [f.error ?? JSON.stringify(f.groups).slice(0, 1000)]));

const startMs = Date.UTC(2026, 5, 1, 12);

describe('from a server that speaks its API', () => {
  test('the same alerts come back in order, and each file is read by its own reader', async () => {
    const file = join(folder, 'rules.yaml');
    writeFileSync(file, rules('10s', '1m', '1m'));
    const clock = new SimulatedClock(startMs);
    const serving = await startServing(
      {
        listen: '127.0.0.1:0',
        rules: [file],
        alertmanager: [],
        scrape: [],
        file: [],
        scrapeInterval: '15s',
        evaluationInterval: '10s',
        resendDelay: '1m',
        externalLabel: [],
        maxSeries: '1000',
        maxSamples: '100000',
      },
      () => {},
      clock,
    );
    try {
      let [bad, all] = [0, 0];
      for (let s = 0; s < 1500; s += 10) {
        all += 100;
        bad += s >= 400 && s < 900 ? 50 : 0;
        const atMs = clock.nowMs();
        const one = (name: string, value: number) => ({
          labels: { __name__: name, job: 'cart' },
          samples: [[atMs, value]] as [number, number][],
        });
        const alive = s >= 600 && s < 800 ? 0 : 1;
        const body = remoteWriteBody(
          one('all_total', all),
          one('bad_total', bad),
          one('alive', alive),
        );
        await fetch(`${serving.url}/api/v1/write`, { method: 'POST', body });
        clock.advance(10_000);
      }
      const out = join(folder, 'cart');
      const flags = {
        prometheus: serving.url,
        from: new Date(startMs + 300_000).toISOString(),
        to: new Date(startMs + 1_490_000).toISOString(),
        name: 'Cart down',
        out,
      };
      const made = await packIncident({
        ...flags,
        fault: 'slow-service',
        target: 'cart',
        set: ['latencyMs=300'],
      });
      expect(made.same).toBe(true);
      expect(made.notes).toEqual([expect.stringContaining('no story.yaml')]);
      expect(made.text).toMatch(/^Failing +job=cart severity=page +12:0[78]:\d\d +12:0[78]:\d\d$/m);
      expect(made.text.indexOf('Failing ')).toBeLessThan(made.text.indexOf('Gone '));
      expect(failuresOf(join(out, 'test.yaml'))).toEqual([]);
      // The test holds the rules to their firing times, so it notices a longer `for`.
      const changed = readFileSync(join(out, 'rules.yaml'), 'utf8').replace('for: 1m', 'for: 2m');
      writeFileSync(join(out, 'rules.yaml'), changed);
      expect(failuresOf(join(out, 'test.yaml'))).not.toEqual([]);
      const { incidents } = readStory(join(out, 'labels.yaml'));
      expect(incidents).toMatchObject([{ name: 'Cart down', kind: 'label', expect: 'page' }]);
      // The share exceeds a tenth within two steps of the failures; Gone ends at 800 s, Failing one minute after 900
      // s.
      expect(incidents[0]!.startMs - startMs).toBeGreaterThanOrEqual(400_000);
      expect(incidents[0]!.startMs - startMs).toBeLessThanOrEqual(430_000);
      expect(incidents[0]!.endMs - startMs).toBeGreaterThanOrEqual(930_000);
      expect(incidents[0]!.endMs - startMs).toBeLessThanOrEqual(970_000);
      const scenario = readScenarioFile(join(out, 'scenario.yaml')).scenario;
      expect(scenario).toMatchObject({
        id: 'cart-down',
        faults: [{ kind: 'slow-service', target: 'cart', settings: { latencyMs: 300 } }],
        expect: {
          mustFire: [
            { alert: 'Failing', severity: 'page' },
            { alert: 'Gone', severity: 'ticket' },
          ],
        },
      });
      const one = join(folder, 'one');
      const only = await packIncident({ ...flags, out: one, alert: ['Gone'] });
      expect([only.same, existsSync(join(one, 'scenario.yaml'))]).toEqual([true, false]);
      expect(readFileSync(join(one, 'test.yaml'), 'utf8')).not.toContain('job:failing');
      await expect(packIncident({ ...flags, alert: ['Never'] })).rejects.toThrow('no alert fired');
    } finally {
      await serving.stop();
    }
  }, 30_000);

  test.each([
    [{ fault: 'slow-service' }, 'half of a cause'],
    [{ from: 'noon' }, '--from'],
    [{ to: '2026-01-01T00:00:00Z', from: '2026-01-02T00:00:00Z' }, 'nothing lies between'],
    [{}, 'cannot be reached'],
  ])('%j is refused', async (more, text) => {
    const flags = {
      prometheus: 'http://127.0.0.1:1',
      from: '1h',
      name: 'n',
      out: join(folder, 'x'),
    };
    await expect(packIncident({ ...flags, ...more })).rejects.toThrow(text);
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });
});

test('rules read as far back as their ranges, subqueries, offsets and `for`, and a lookback', () => {
  const rule = (expr: string, forMs = 0): AlertingRule => ({
    kind: 'alert',
    alert: 'A',
    expr,
    forMs,
    keepFiringForMs: 0,
    labels: {},
    annotations: {},
  });
  const of = (...all: AlertingRule[]) => readsOf([{ name: 'g', rules: all }]);
  expect(of(rule('max_over_time(rate(a{b="c"}[5m] offset 1m)[1h:1m]) > x @ 5', 60_000))).toEqual({
    selectors: ['a{b="c"}', 'x'],
    leadMs: (5 + 1 + 60 + 1 + 5) * 60_000,
  });
  expect(of(rule('a'), rule('a offset 2h')).leadMs).toBe(125 * 60_000);
});

test('order counts between alerts that fired further apart than the tolerance', () => {
  const at = (alertname: string, firedMs: number) => ({ labels: { alertname }, firedMs });
  const same = (measured: [string, number][], replayed: [string, number][]) =>
    matched(
      measured.map(([n, ms]) => at(n, ms)),
      replayed.map(([n, ms]) => at(n, ms)),
      10,
    ).same;
  expect(
    same(
      [
        ['a', 0],
        ['b', 50],
      ],
      [
        ['a', 3],
        ['b', 49],
      ],
    ),
  ).toBe(true);
  expect(
    same(
      [
        ['a', 0],
        ['b', 50],
      ],
      [
        ['a', 60],
        ['b', 49],
      ],
    ),
  ).toBe(false);
  expect(
    same(
      [
        ['a', 0],
        ['b', 9],
      ],
      [
        ['a', 60],
        ['b', 49],
      ],
    ),
  ).toBe(true);
  expect(same([['a', 0]], [])).toBe(false);
  expect(
    same(
      [['a', 0]],
      [
        ['a', 1],
        ['b', 2],
      ],
    ),
  ).toBe(false);
});

testWith('prometheus', 'promtool')(
  'from a real Prometheus, and promtool says the same',
  async () => {
    let [broken, bad, all] = [false, 0, 0];
    const target = createServer((_, response) => {
      all += 100;
      bad += broken ? 50 : 0;
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(`all_total ${all}\nbad_total ${bad}\nalive ${broken ? 0 : 1}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    const file = join(folder, 'real-rules.yaml');
    writeFileSync(file, rules('1s', '2s', '4s'));
    const config = join(folder, 'prometheus.yml');
    const at = `127.0.0.1:${(target.address() as AddressInfo).port}`;
    writeFileSync(
      config,
      `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [${file}]
scrape_configs: [{ job_name: cart, static_configs: [{ targets: ['${at}'] }] }]
`,
    );
    const port = await freePort();
    const prometheus = startGuarded('prometheus', findTool('prometheus') as string, [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const url = `http://127.0.0.1:${port}`;
    const firing = async (): Promise<string[]> => {
      const answer = await fetch(`${url}/api/v1/alerts`).catch(() => undefined);
      if (!answer?.ok) return ['not ready'];
      const { data } = (await answer.json()) as {
        data: { alerts: { state: string; labels: { alertname: string } }[] };
      };
      return data.alerts.filter((a) => a.state === 'firing').map((a) => a.labels.alertname);
    };
    const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
      for (let i = 0; i < 300; i++) {
        if (await holds()) return;
        await sleep(100);
      }
      throw new Error(`${what}: not within 30 s`);
    };
    try {
      const fromMs = Date.now();
      await until('scraped', () => all > 600);
      broken = true;
      await until('both fire', async () => (await firing()).length === 2);
      // Waits a little beyond `for`, because both groups are evaluated at their own times.
      await sleep(3000);
      broken = false;
      await until('all is over', async () => (await firing()).length === 0);
      const out = join(folder, 'real');
      const from = new Date(fromMs).toISOString();
      const made = await packIncident({ prometheus: url, from, name: 'real', out });
      expect([made.same, made.text]).toEqual([true, expect.any(String)]);
      expect(made.text.indexOf('Gone ')).toBeLessThan(made.text.indexOf('Failing '));
      const ran = spawnSync(
        findTool('promtool') as string,
        ['test', 'rules', join(out, 'test.yaml')],
        {
          encoding: 'utf8',
        },
      );
      expect(`${ran.stdout}${ran.stderr}`).not.toContain('FAILED');
      expect(ran.status).toBe(0);
    } finally {
      await prometheus.stop();
      target.close();
    }
  },
  90_000,
);
