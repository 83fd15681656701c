/**
 * Replaces the example app's proxies and controller: exposes their metrics over HTTP, with an adjustable error ratio.
 */
import { createServer, type Server } from 'node:http';
import { meshMetrics as m } from '../../slo/spec/mesh-metrics.js';

const bounds = [10, 50, 100, 300, 500, 1000];
const services = ['checkout.retail', 'payment.retail'];

export class Exporter {
  /** Share of failing requests from now on, 0 to 1. */
  errorRatio = 0;
  /** Requests a second of each service. */
  readonly rate = 400;
  #server: Server | undefined;
  #at = performance.now();
  #total = 0;
  #failed = 0;

  /** Counts the events since the last call, at the error ratio of that time. */
  settle(): { total: number; failed: number } {
    const now = performance.now();
    const events = ((now - this.#at) / 1000) * this.rate;
    this.#at = now;
    this.#total += events;
    this.#failed += events * this.errorRatio;
    return { total: Math.floor(this.#total), failed: Math.floor(this.#failed) };
  }

  fail(errorRatio: number): void {
    this.settle();
    this.errorRatio = errorRatio;
  }

  #text(): string {
    const { total, failed } = this.settle();
    const lines: string[] = [];
    for (const dst of services) {
      for (const direction of ['inbound', 'outbound']) {
        const base = `direction="${direction}",dst="${dst}",tls="true"`;
        lines.push(`${m.requests}{${base}} ${total}`);
        lines.push(`${m.responses}{${base},classification="success"} ${total - failed}`);
        if (failed > 0) lines.push(`${m.responses}{${base},classification="failure"} ${failed}`);
        for (const bound of bounds) {
          const share = bound >= 300 ? 0.999 : bound / 400;
          lines.push(`${m.latencyMs}_bucket{${base},le="${bound}"} ${Math.floor(total * share)}`);
        }
        lines.push(`${m.latencyMs}_bucket{${base},le="+Inf"} ${total}`);
        lines.push(`${m.latencyMs}_count{${base}} ${total}`);
        lines.push(`${m.latencyMs}_sum{${base}} ${total * 40}`);
      }
      lines.push(`${m.retries}{dst="${dst}"} ${Math.floor(total / 200)}`);
    }
    const expiry = Date.now() / 1000 + 864_000;
    lines.push(`${m.connections}{direction="inbound",peer="src",tls="true"} 10`);
    lines.push(`${m.handshakes} 100`, `${m.handshakeFailures}{reason="expired"} 1`);
    lines.push(`${m.certificateExpiry} ${expiry}`, `${m.issuerExpiry} ${expiry * 1.01}`);
    lines.push(`${m.ejections}{dst="payment.retail"} 1`, `${m.telemetryDrops} 0`);
    lines.push(`${m.cpuSeconds} ${total / 4000}`, `${m.memoryBytes} 6e7`);
    lines.push(`${m.connectedProxies} 8`);
    lines.push(`${m.propagationSeconds}_bucket{le="0.5"} 9`);
    lines.push(`${m.propagationSeconds}_bucket{le="+Inf"} 10`);
    return `${lines.join('\n')}\n`;
  }

  async listen(): Promise<number> {
    this.#server = createServer((_, response) => response.end(this.#text()));
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}
