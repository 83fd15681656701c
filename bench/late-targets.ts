/** Pods with late scrapes: slow, failing or restarted ones, with a count of their true events. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sleep } from '../base/clock.js';

/** One pod. Its events happen during scrapes, so that each is in that answer or in a later one. */
export class Pod {
  /** Events of each scrape. */
  readonly perScrape = 100;
  readonly badPerScrape = 7;
  /** All events ever reported to a scraper, over all lives of the process. */
  told = { total: 0, bad: 0 };
  probes = { total: 0, failed: 0 };
  frozen = false;
  up = true;
  #total = 0;
  #bad = 0;
  #startedMs = Date.now();
  #scrapes = 0;

  constructor(
    readonly name: string,
    /** The duration of a scrape. */
    public delayMs: number,
  ) {}

  /** A new process: its counters begin at 0. */
  restart(): void {
    this.#total = 0;
    this.#bad = 0;
    this.#startedMs = Date.now();
  }

  /** Counts the events until the answer; `delivered` is false for an answer that is lost. */
  happen(delivered: boolean): void {
    if (!this.frozen) {
      this.#total += this.perScrape;
      this.#bad += this.badPerScrape;
      this.told.total += this.perScrape;
      this.told.bad += this.badPerScrape;
    }
    if (!delivered) return;
    this.#scrapes++;
    if (this.frozen) return;
    this.probes.total++;
    if (!this.probeIsGood()) this.probes.failed++;
  }

  /** Every third probe fails, and that one is slow. */
  probeIsGood(): boolean {
    return this.frozen || this.#scrapes % 3 !== 0;
  }

  text(): string {
    const line = (name: string, labels: string, value: number): string =>
      `${name}{${labels}} ${value}\n`;
    const errors = this.#bad > 0 ? line('requests_total', 'code="500"', this.#bad) : '';
    return (
      line('requests_total', 'code="200"', this.#total - this.#bad) +
      errors +
      `process_start_time_seconds ${this.#startedMs / 1000}\n` +
      `probe_success ${this.probeIsGood() ? 1 : 0}\n`
    );
  }
}

/** All pods behind one port, each under its own path. */
export class Pods {
  readonly pods: Pod[];
  #server: Server | undefined;
  port = 0;
  /** This share of scrapes is answered with an error. */
  failing = 0;

  constructor(pods: Pod[]) {
    this.pods = pods;
  }

  async listen(random: () => number): Promise<void> {
    const byPath = new Map(this.pods.map((p) => [`/${p.name}`, p]));
    this.#server = createServer((request, response) => {
      const pod = byPath.get(request.url ?? '');
      const fails = pod === undefined || !pod.up || random() < this.failing;
      if (fails || !pod) {
        if (pod?.up) pod.happen(false);
        response.writeHead(503).end();
        return;
      }
      pod.happen(true);
      const text = pod.text();
      void sleep(pod.delayMs).then(() => response.end(text));
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  freeze(): void {
    for (const pod of this.pods) pod.frozen = true;
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  /** Scrape configuration of all pods, as job `web`. */
  scrapeConfig(): string {
    const targets = this.pods.map(
      (p) =>
        `      - { targets: ['127.0.0.1:${this.port}'], ` +
        `labels: { __metrics_path__: /${p.name}, instance: ${p.name} } }`,
    );
    return ['  - job_name: web', '    static_configs:', ...targets].join('\n');
  }
}

export const sumOf = (pods: readonly Pod[], of: (pod: Pod) => number): number =>
  pods.reduce((sum, pod) => sum + of(pod), 0);
