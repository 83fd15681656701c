/**
 * The rules on a real Prometheus: pages come at the expected detection time, dashboards have data, budgets are
 * correct.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { sleep } from '../../base/clock.js';
import { asset, program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { PrometheusClient } from '../../slo/budget/prometheus.js';
import { budgetState } from '../../slo/budget/state.js';
import { askPanels, emptyPanels } from '../../slo/dashboards/answers.js';
import { hover } from '../../base/drawing/hover.js';
import { allDashboards } from '../../slo/dashboards/dashboards.js';
import { previewHtml } from '../../slo/dashboards/preview.js';
import { compileSlos, readSlos, ruleFileText, theoryOf } from '../../slo/index.js';
import { testWith } from '../tools.js';
import { Exporter } from './exporter.js';

const timeScale = 1 / 120;
const scrapeMs = 250;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

describe('on a real Prometheus', () => {
  const test = testWith('prometheus');
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-live-'));
  const exporter = new Exporter();
  const slos = readSlos([asset('examples/slo/retail.yaml')]);
  let prometheus: PrometheusClient;
  let child: ChildProcess | undefined;

  beforeAll(async () => {
    const path = findTool('prometheus');
    if (path === undefined) return;
    const target = await exporter.listen();
    const port = await freePort();
    writeFileSync(join(folder, 'rules.yaml'), ruleFileText(compileSlos(slos, { timeScale })));
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `global: {scrape_interval: ${scrapeMs}ms, scrape_timeout: ${scrapeMs}ms}
rule_files: [rules.yaml]
scrape_configs: [{job_name: shop, static_configs: [{targets: ['127.0.0.1:${target}']}]}]
`,
    );
    child = spawn(
      path,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    prometheus = new PrometheusClient(`http://127.0.0.1:${port}`);
    await until(() => prometheus.query('up == 1', Date.now()), 20_000);
  });

  afterAll(async () => {
    exporter.close();
    if (child && child.exitCode === null) {
      const ended = new Promise((resolve) => child?.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  });

  /** Asks until the answer is not empty; fails after `boundMs`. */
  async function until<T>(ask: () => Promise<T[]>, boundMs: number): Promise<T[]> {
    const end = Date.now() + boundMs;
    for (;;) {
      const answer = await ask().catch(() => []);
      if (answer.length > 0) return answer;
      if (Date.now() > end) throw new Error(`nothing within ${boundMs} ms`);
      await sleep(50);
    }
  }

  test('A2: nothing fires while all is well, then the page comes in the time that theory gives', async () => {
    const payment = slos.find((s) => s.id === 'payment-availability')!;
    const remaining = 'slo:period_error_budget_remaining:ratio{slo="payment-availability"}';
    await until(() => prometheus.query(`${remaining} == 1`, Date.now()), 20_000);
    expect(await prometheus.query('ALERTS{severity="page"}', Date.now())).toEqual([]);

    const faultMs = Date.now();
    exporter.fail(0.02);
    const steps = 'count_over_time(slo:events_total:increase30s{slo="payment-availability"}[1h])';
    const history = (await prometheus.scalar(steps, faultMs)) ?? 0;
    const theory = theoryOf(
      payment,
      'page',
      {
        baseline: 0,
        errorRatio: 0.02,
        historyMs: history * 30_000 * timeScale,
        scrapeIntervalMs: scrapeMs,
      },
      { timeScale },
    );
    const alert = 'ALERTS{slo="payment-availability",severity="page",alertstate="firing"}';
    const [series] = await until(() => prometheus.range(alert, faultMs, Date.now(), 50), 20_000);
    const sample = series?.points[0]?.[0];
    const measured = sample! - faultMs;
    const { detection } = theory;
    expect(measured).toBeGreaterThanOrEqual(detection!.earliestMs - 100);
    // The bound of the arithmetic, plus a second because the machine is noisy.
    expect(measured).toBeLessThanOrEqual(detection!.latestMs + 1000);
  });

  test('S4: every query of every dashboard returns something, and the preview draws it', async () => {
    const dashboards = allDashboards(slos, 30_000);
    const ask = () => {
      const endMs = Date.now();
      const options = { startMs: endMs - 10_000, endMs, rateIntervalMs: 2000 };
      return askPanels(dashboards, prometheus, options);
    };
    let answers = await ask();
    // The slowest rules and a rate need several scrapes first.
    for (let i = 0; i < 40 && emptyPanels(dashboards, answers).length > 0; i++) {
      await sleep(250);
      answers = await ask();
    }
    expect(emptyPanels(dashboards, answers)).toEqual([]);
    const page = previewHtml(dashboards, answers).replace(hover().script, '');
    expect(page).toContain('<svg');
    expect(page).not.toContain('NaN');
    if (process.env.PREVIEW !== undefined) writeFileSync(process.env.PREVIEW, page);
  });

  test('S5: the budget that is read back is what was really spent', async () => {
    exporter.fail(0.5);
    await sleep(1500);
    exporter.fail(0);
    await sleep(3000);
    const truth = exporter.settle();
    const payment = slos.find((s) => s.id === 'payment-availability')!;
    const state = await budgetState(payment, prometheus, { atMs: Date.now(), timeScale });
    // The count lacks events that were scraped before the rules began, and those of evaluations that a busy Prometheus
    // skipped (four a second are due here); it has all others.
    const evaluated = await shareOfIterations(prometheus.url);
    expect(state.rolling.bad).toBeGreaterThan(truth.failed * 0.85 * evaluated ** 2);
    expect(state.rolling.bad).toBeLessThan(truth.failed * 1.02);
    expect(state.rolling.remaining).toBeLessThan(1);
    expect(state.incidents.length).toBeGreaterThan(0);
  });

  /** Share of the due evaluations that Prometheus made: 1 on a quiet machine. */
  async function shareOfIterations(url: string): Promise<number> {
    const page = await (await fetch(`${url}/metrics`)).text();
    const sum = (name: string): number =>
      [...page.matchAll(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'gm'))].reduce(
        (total, match) => total + Number(match[1]),
        0,
      );
    const due = sum('prometheus_rule_group_iterations_total');
    return 1 - sum('prometheus_rule_group_iterations_missed_total') / due;
  }

  const cli = (...args: string[]): Promise<{ status: number | null; text: string }> =>
    new Promise((resolve) => {
      const run = spawn(process.execPath, [program('cli'), 'slo', ...args]);
      let text = '';
      run.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      run.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
      run.on('close', (status) => resolve({ status, text }));
    });
  const asked = (): string[] => {
    const scale = ['--time-scale', '1/120', '--prometheus', prometheus.url];
    return ['-i', asset('examples/slo/retail.yaml'), ...scale];
  };

  test('S5: the gate is shut with its reason, and open where the policy allows what happened', async () => {
    const shut = await cli('gate', ...asked(), '--slo', 'payment-availability');
    expect([shut.status, shut.text]).toEqual([
      1,
      expect.stringContaining('the error budget is spent'),
    ]);
    const lenient = ['--min-remaining', '-1000000%', '--max-burn', '100000'];
    const open = await cli('gate', ...asked(), ...lenient);
    expect([open.status, open.text]).toEqual([0, expect.stringContaining('open')]);
  });

  test('R5: the report has each SLO, its incidents and a burn-down', async () => {
    const out = join(folder, 'report.html');
    expect((await cli('report', ...asked(), '--routine', 'monthly', '-o', out)).status).toBe(0);
    const page = readFileSync(out, 'utf8');
    for (const slo of slos) expect(page).toContain(`error budget of ${slo.id}`);
    expect(page).toContain('<th>incident</th>');
  });

  test('S6: the cost of the proxies is read from their metrics', async () => {
    const run = await cli(
      'cost',
      '--prometheus',
      prometheus.url,
      '--window',
      '5s',
      '--sampling',
      '0.1',
    );
    expect([run.status, run.text]).toEqual([0, expect.stringMatching(/^shop +1 +[\d.]+ .*USD/m)]);
  });

  test('init finds the services that the mesh measures', async () => {
    const run = await cli('init', '--prometheus', prometheus.url);
    expect(run.text).toContain('payment.retail');
  });
});
