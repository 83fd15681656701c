/** All the proxy's metrics in one place: fronts and flow raise plain numbers, a scrape reads them. */
import type { TlsLabel } from '../flow/contract.js';
import { type Direction, type PeerSide, TransportMetrics } from './transport-metrics.js';

export interface Exposition {
  contentType: string;
  body: string | Buffer;
}

export class ProxyMetrics {
  readonly #transports = new Map<string, TransportMetrics>();
  readonly #handshakes = new Map<string, number>();
  /** Of the certificate in use, in seconds since the epoch; 0: none. Set by whoever loads it. */
  certificateExpirySeconds = 0;
  certificateNotBeforeSeconds = 0;
  certificateRefreshedSeconds = 0;
  certificateRefreshes = 0;
  certificateRefreshErrors = 0;

  /** The same object for the same labels; keep it, do not look it up for each read. */
  transport(direction: Direction, peer: PeerSide, tls: TlsLabel): TransportMetrics {
    const key = `${direction} ${peer} ${tls}`;
    let found = this.#transports.get(key);
    if (!found) {
      found = new TransportMetrics({ direction, peer, tls });
      this.#transports.set(key, found);
    }
    return found;
  }

  handshakeSucceeded(direction: Direction): void {
    this.#raise(`${direction} ok`);
  }

  /**
   * Reasons: expired, not-yet-valid, unknown-issuer, name-mismatch, no-client-certificate, timeout, protocol,
   * reset.
   */
  handshakeFailed(direction: Direction, reason: string): void {
    this.#raise(`${direction} ${reason}`);
  }

  /** Adds lines of others at scrape time: `read` returns the present value. Names must be in names.ts. */
  gauge(_name: string, _labels: Record<string, string>, _read: () => number): void {}

  /** What GET /metrics answers to this Accept header. */
  expose(_accept: string | undefined): Exposition {
    return { contentType: 'text/plain; version=0.0.4; charset=utf-8', body: '' };
  }

  #raise(key: string): void {
    this.#handshakes.set(key, (this.#handshakes.get(key) ?? 0) + 1);
  }
}
