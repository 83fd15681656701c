/** A real Prometheus over artificial history: samples are backfilled as blocks, and queried with their cost. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../base/clock.js';
import { requireTool } from '../base/tools.js';

/** Writes OpenMetrics text line by line; the samples of all series in order of time. */
export class History {
  readonly folder = mkdtempSync(join(tmpdir(), 'firedrill-history-'));
  #file: number | undefined;
  #lines: string[] = [];
  #count = 0;

  /** `series` with its labels, a value, and the time in milliseconds. */
  add(series: string, value: number, timeMs: number): void {
    this.#lines.push(`${series} ${value} ${timeMs / 1000}`);
    if (this.#lines.length >= 20_000) this.#flush();
  }

  #flush(): void {
    this.#file ??= openSync(join(this.folder, 'samples.txt'), 'w');
    if (this.#lines.length > 0) writeSync(this.#file, `${this.#lines.join('\n')}\n`);
    this.#count += this.#lines.length;
    this.#lines = [];
  }

  /** Makes blocks of everything added since the last call. Returns the number of samples. */
  seal(): number {
    this.#flush();
    const file = this.#file;
    if (file === undefined) return 0;
    writeSync(file, '# EOF\n');
    closeSync(file);
    const promtool = requireTool('promtool');
    const samples = join(this.folder, 'samples.txt');
    const make = ['tsdb', 'create-blocks-from', '--max-block-duration=4374h', 'openmetrics', '-q'];
    execFileSync(promtool, [...make, samples, join(this.folder, 'data')], { stdio: 'pipe' });
    rmSync(samples);
    this.#file = undefined;
    const count = this.#count;
    this.#count = 0;
    return count;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Answer {
  result: {
    metric: Record<string, string>;
    value?: [number, string];
    values?: [number, string][];
  }[];
  samples: number;
}

/** A Prometheus that only reads a history, without scrapes or rules. */
export class HistoryServer {
  readonly url: string;
  /** A build from the module names no version: it is one of 3.x. */
  readonly major: 2 | 3;
  /** `2.42.0`, or `3.x` when the build does not say. */
  readonly version: string;
  readonly #process: ChildProcess;

  private constructor(url: string, version: string, process: ChildProcess) {
    this.url = url;
    this.version = version;
    this.major = version.startsWith('2.') ? 2 : 3;
    this.#process = process;
  }

  static async start(history: History): Promise<HistoryServer> {
    const port = await freePort();
    const config = join(history.folder, 'prometheus.yml');
    writeFileSync(config, 'global: {scrape_interval: 1h}\n');
    const path = requireTool('prometheus');
    const said = execFileSync(path, ['--version'], { encoding: 'utf8' });
    const version = /version (\d+\.\d+\.\d+)/.exec(said)?.[1] ?? '3.x';
    const child = spawn(
      path,
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(history.folder, 'data')}`,
        '--storage.tsdb.retention.time=10y',
        `--web.listen-address=127.0.0.1:${port}`,
        '--query.timeout=10m',
        '--query.max-samples=500000000',
        '--log.level=error',
        ...(version.startsWith('2.') ? [] : ['--enable-feature=promql-experimental-functions']),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const url = `http://127.0.0.1:${port}`;
    for (let tries = 0; tries < 300; tries++) {
      const ready = await fetch(`${url}/-/ready`).then(
        (r) => r.ok,
        () => false,
      );
      if (ready) return new HistoryServer(url, version, child);
      if (child.exitCode !== null) break;
      await sleep(100);
    }
    child.kill('SIGKILL');
    throw new Error('prometheus did not become ready');
  }

  async query(query: string, timeMs: number): Promise<Answer> {
    return this.#ask('query', { query, time: String(timeMs / 1000) });
  }

  /** Every value from start to end, in as many requests as the limit on points requires. */
  async range(query: string, startMs: number, endMs: number, stepMs: number): Promise<Answer> {
    const all = new Map<string, Answer['result'][number]>();
    let samples = 0;
    for (let from = startMs; from <= endMs; from += stepMs * 10_000) {
      const to = Math.min(endMs, from + stepMs * 9_999);
      const answer = await this.#ask('query_range', {
        query,
        start: String(from / 1000),
        end: String(to / 1000),
        step: String(stepMs / 1000),
      });
      samples += answer.samples;
      for (const series of answer.result) {
        const key = JSON.stringify(series.metric);
        const known = all.get(key);
        if (known) known.values?.push(...(series.values ?? []));
        else all.set(key, series);
      }
    }
    return { result: [...all.values()], samples };
  }

  async #ask(path: string, parameters: Record<string, string>): Promise<Answer> {
    // Names that Prometheus 3 changed are replaced by the old ones for an older Prometheus.
    const query = (parameters.query ?? '').replaceAll(
      'double_exponential_smoothing(',
      'holt_winters(',
    );
    const asked = this.major === 2 ? { ...parameters, query } : parameters;
    const body = new URLSearchParams({ ...asked, stats: 'all' });
    const response = await fetch(`${this.url}/api/v1/${path}`, { method: 'POST', body });
    const answer = (await response.json()) as {
      error?: string;
      data?: { result: Answer['result']; stats: { samples: { totalQueryableSamples: number } } };
    };
    if (!answer.data) throw new Error(`${answer.error} in ${parameters.query}`);
    return {
      result: answer.data.result,
      samples: answer.data.stats.samples.totalQueryableSamples,
    };
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    await ended;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
