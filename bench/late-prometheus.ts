/** A Prometheus that scrapes pods and evaluates rules, and can be stopped and restarted over the same data. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GuardedChild, startGuarded } from '../base/child.js';
import { sleep } from '../base/clock.js';
import { requireTool } from '../base/tools.js';
import { PrometheusClient } from '../slo/budget/prometheus.js';
import { freePort } from './slo-prometheus.js';

export interface LateOptions {
  /** Text of `rules.yaml`. */
  rules: string;
  scrapeMs: number;
  /** `scrape_configs`; empty for a Prometheus that receives remote writes. */
  scrapeConfig: string;
  /** The target of its remote writes. */
  remoteWrite?: string;
}

export class LatePrometheus {
  readonly client: PrometheusClient;
  readonly #folder = mkdtempSync(join(tmpdir(), 'firedrill-late-'));
  #process: GuardedChild | undefined;

  private constructor(
    readonly port: number,
    options: LateOptions,
  ) {
    this.client = new PrometheusClient(`http://127.0.0.1:${port}`);
    writeFileSync(join(this.#folder, 'rules.yaml'), options.rules);
    const write =
      options.remoteWrite === undefined
        ? ''
        : `remote_write: [{ url: '${options.remoteWrite}', queue_config: ` +
          `{ batch_send_deadline: 700ms, min_backoff: 100ms, max_backoff: 300ms } }]\n`;
    writeFileSync(
      join(this.#folder, 'prometheus.yml'),
      `global: { scrape_interval: ${options.scrapeMs}ms, scrape_timeout: ${options.scrapeMs}ms }
rule_files: [rules.yaml]
${write}scrape_configs:
${options.scrapeConfig === '' ? '  []' : options.scrapeConfig}
`,
    );
  }

  static async start(options: LateOptions): Promise<LatePrometheus> {
    const prometheus = new LatePrometheus(await freePort(), options);
    await prometheus.resume();
    return prometheus;
  }

  async resume(): Promise<void> {
    this.#process = startGuarded('prometheus', requireTool('prometheus'), [
      `--config.file=${join(this.#folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(this.#folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${this.port}`,
      '--web.enable-remote-write-receiver',
      '--log.level=warn',
    ]);
    await this.until('vector(1)', 60_000);
  }

  /**
   * Ends the process between two evaluations. A Prometheus that is stopped leaves a group in the middle, and events
   * that the evaluation had read but not counted yet are lost (slo/README.md).
   */
  async pause(): Promise<void> {
    await this.#betweenEvaluations();
    await this.#process?.stop(20_000);
  }

  /** Waits for the widest gap between the groups' evaluations, which return every second at the same phase. */
  async #betweenEvaluations(): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/v1/rules`);
    const { data } = (await answer.json()) as {
      data: { groups: { lastEvaluation: string; evaluationTime: number }[] };
    };
    const ends = data.groups.map(
      (g) => (Date.parse(g.lastEvaluation) + g.evaluationTime * 1000) % 1000,
    );
    const starts = data.groups.map((g) => Date.parse(g.lastEvaluation) % 1000);
    // The end after which no group begins for longest.
    const gapAfter = (end: number): number =>
      Math.min(...starts.map((start) => (start - end + 1000) % 1000));
    const end = ends.reduce((best, e) => (gapAfter(e) > gapAfter(best) ? e : best), ends[0] ?? 0);
    await sleep((end + 5 - (Date.now() % 1000) + 2000) % 1000);
  }

  /** Waits until a query returns a result. */
  async until(query: string, boundMs: number): Promise<void> {
    const endMs = Date.now() + boundMs;
    for (;;) {
      const answer = await this.client.query(query, Date.now()).catch(() => []);
      if (answer.length > 0) return;
      if (Date.now() > endMs) {
        throw new Error(`no ${query} within ${boundMs} ms\n${this.#process?.lastWords() ?? ''}`);
      }
      await sleep(100);
    }
  }

  async stop(): Promise<void> {
    await this.pause();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
