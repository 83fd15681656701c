/** A Prometheus that scrapes pods and evaluates rules, and can be stopped and restarted over the same data. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

  /** Ends the process as an operator does. */
  async pause(): Promise<void> {
    await this.#process?.stop(20_000);
  }

  /** Ends the process at this very instant, wherever its evaluations are. Linux only. */
  async kill(): Promise<void> {
    const guardian = this.#process;
    if (!guardian) return;
    const parentOf = (pid: string): string | undefined => {
      try {
        return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      } catch {
        return undefined;
      }
    };
    const child = readdirSync('/proc').find(
      (pid) => /^\d+$/.test(pid) && parentOf(pid) === String(guardian.pid),
    );
    process.kill(Number(child), 'SIGKILL');
    await guardian.exited;
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
