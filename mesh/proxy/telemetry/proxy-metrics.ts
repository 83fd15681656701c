/** All the proxy's metrics in one place: fronts and flow raise plain numbers, a scrape reads them. */
import type { Clock } from '../../../base/clock.js';
import type { TlsLabel } from '../flow/contract.js';
import { LabelSet, labelsOf, noLabels } from './labels.js';
import type { MetricName } from './names.js';
import { acceptsProtobuf, protobufContentType, ProtobufSink } from './protobuf-exposition.js';
import { collectRequests } from './request-collector.js';
import { maxLabelled, raise, type RequestLabels, RequestMetrics } from './request-metrics.js';
import type { Collector, MetricSink } from './sink.js';
import { textContentType, TextSink } from './text-exposition.js';
import { type Direction, type PeerSide, TransportMetrics } from './transport-metrics.js';

export interface Exposition {
  contentType: string;
  body: string | Buffer;
}

/** The controller client's status; read at scrape time. */
export interface ControllerStatus {
  readonly stats: {
    readonly connected: boolean;
    readonly connects: number;
    readonly connectFailures: number;
    readonly updates: number;
    readonly refusedUpdates: number;
    readonly clockSkewMs: number;
  };
  staleSeconds(): number;
}

/** Routes with series of their own; the rest share one called `overflow`. */
export const maxRoutes = 2000;
/** The limit for one destination or server: a profile that names every user must not use up the others' series. */
const maxRoutesEach = 500;
/** Series of removed objects stay for this long, so that the last scrapes see them. */
const retainIdleMs = 600_000;

const overflowLabel = 'overflow';

export class ProxyMetrics {
  readonly #clock: Clock;
  readonly #transports = new Map<string, TransportMetrics>();
  readonly #handshakes = new Map<Direction, number>();
  readonly #handshakeFailures = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  readonly #routes = new Map<string, RequestMetrics>();
  readonly #labelledRoom = { left: maxLabelled };
  /** The label of requests, if there is one; tells which of its values still have series. */
  label: { has(value: string): boolean } | undefined;
  readonly #collectors: Collector[] = [];
  /** The number of routes with series of their own, for each destination. */
  readonly #routesEach = new Map<string, number>();
  /** Present with 0 from the start: increase() cannot see a series that begins with its first overflow. */
  readonly #overflows = new Map<string, number>([
    ['route', 0],
    ['client_id', 0],
  ]);
  /**
   * Expiry of the certificate in use, in seconds since the epoch; 0: none. Set by the code that loads the
   * certificate.
   */
  certificateExpirySeconds = 0;
  certificateNotBeforeSeconds = 0;
  certificateRefreshedSeconds = 0;
  certificateRefreshes = 0;
  certificateRefreshErrors = 0;
  /** Set by the gateway. */
  configVersion = 0;
  configAppliedSeconds = 0;
  configUpdates = 0;
  configRefusals = 0;
  controllerConfigured = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the same object for the same labels; keep it instead of looking it up for each read. */
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
    this.#handshakes.set(direction, (this.#handshakes.get(direction) ?? 0) + 1);
  }

  /**
   * Reasons: expired, not-yet-valid, unknown-issuer, name-mismatch, authority, denied, no-client-certificate,
   * timeout, protocol, reset.
   */
  handshakeFailed(direction: Direction, reason: string): void {
    raise(this.#handshakeFailures, `${direction} ${reason}`);
  }

  connectionRefused(direction: Direction, reason: string): void {
    raise(this.#refusals, `${direction} ${reason}`);
  }

  /** The counters of a route: the same object for the same labels, also after it was retired. */
  route(labels: RequestLabels): RequestMetrics {
    const key = JSON.stringify([labels.direction, labels.dst, labels.route, labels.server]);
    let found = this.#routes.get(key);
    if (!found) {
      const owner = ownerOf(labels);
      const count = this.#routesEach.get(owner) ?? 0;
      if (count >= maxRoutesEach || this.#routes.size >= maxRoutes) {
        this.overflowed('route');
        // The destination is kept as a label, so that an SLO over it stays complete.
        return count > 0 ? this.#overflow(labels) : this.#overflow(unnamed(labels.direction));
      }
      this.#routesEach.set(owner, count + 1);
      this.#routes.set(key, (found = new RequestMetrics(labels, this.#labelledRoom)));
    }
    found.retiredMs = -1;
    return found;
  }

  /** The counters are no longer used: they are dropped after a while. */
  retire(metrics: RequestMetrics): void {
    if (metrics.source.route !== overflowLabel) metrics.retiredMs = this.#clock.monotonicMs();
  }

  overflowed(kind: string): void {
    raise(this.#overflows, kind);
  }

  /** Called at each scrape. */
  collect(collector: Collector): void {
    this.#collectors.push(collector);
  }

  /** Adds one line, read at scrape time. */
  gauge(name: MetricName, labels: Record<string, string>, read: () => number): void {
    const set = labelsOf(labels);
    this.collect((sink) => sink.value(name, set, read()));
  }

  /** Adds the control_* lines; before this call there is only control_configured. */
  watchController(client: ControllerStatus): void {
    const connects = ['ok', 'error'].map((result) => labelsOf({ result }));
    this.collect((sink) => {
      const { stats } = client;
      const stale = client.staleSeconds();
      sink.value('control_connected', noLabels, stats.connected ? 1 : 0);
      sink.value(
        'control_last_contact_timestamp_seconds',
        noLabels,
        this.#clock.nowMs() / 1000 - stale,
      );
      sink.value('control_staleness_seconds', noLabels, stale);
      sink.value('control_connects_total', connects[0] as LabelSet, stats.connects);
      sink.value('control_connects_total', connects[1] as LabelSet, stats.connectFailures);
      sink.value('control_updates_total', noLabels, stats.updates);
      sink.value('control_rejected_updates_total', noLabels, stats.refusedUpdates);
      sink.value('control_clock_skew_seconds', noLabels, stats.clockSkewMs / 1000);
    });
  }

  /** The answer to GET /metrics for this Accept header. */
  expose(accept: string | undefined): Exposition {
    if (acceptsProtobuf(accept)) {
      const sink = new ProtobufSink();
      this.#collectAll(sink);
      return { contentType: protobufContentType, body: sink.bytes() };
    }
    const sink = new TextSink();
    this.#collectAll(sink);
    return { contentType: textContentType, body: sink.text() };
  }

  #overflow(labels: RequestLabels): RequestMetrics {
    const key = `overflow ${ownerOf(labels)}`;
    let found = this.#routes.get(key);
    if (!found) {
      found = new RequestMetrics({ ...labels, route: overflowLabel }, this.#labelledRoom);
      this.#routes.set(key, found);
    }
    return found;
  }

  #collectAll(sink: MetricSink): void {
    const droppedMs = this.#clock.monotonicMs() - retainIdleMs;
    for (const [key, metrics] of this.#routes) {
      if (metrics.retiredMs >= 0 && metrics.retiredMs < droppedMs && metrics.inFlight === 0) {
        this.#routes.delete(key);
        metrics.dropLabels(() => false);
        const owner = ownerOf(metrics.source);
        const left = (this.#routesEach.get(owner) ?? 1) - 1;
        if (left > 0) this.#routesEach.set(owner, left);
        else this.#routesEach.delete(owner);
        continue;
      }
      // An unused route has no series yet: a proxy may know a thousand destinations.
      if (this.label) metrics.dropLabels((value) => this.label?.has(value) ?? true);
      if (metrics.requests > 0) collectRequests(metrics, sink);
    }
    for (const transport of this.#transports.values()) collectTransport(transport, sink);
    for (const direction of ['inbound', 'outbound'] as const) {
      const count = this.#handshakes.get(direction);
      if (count) sink.value('tls_handshakes_total', labelsOf({ direction }), count);
    }
    for (const [name, counts] of [
      ['tls_handshake_failures_total', this.#handshakeFailures],
      ['tcp_refused_total', this.#refusals],
    ] as const) {
      for (const [key, count] of counts) {
        const [direction = '', ...reason] = key.split(' ');
        sink.value(name, labelsOf({ direction, reason: reason.join(' ') }), count);
      }
    }
    this.#collectIdentity(sink);
    sink.value('control_configured', noLabels, this.controllerConfigured ? 1 : 0);
    sink.value('proxy_config_version', noLabels, this.configVersion);
    sink.value('proxy_config_applied_timestamp_seconds', noLabels, this.configAppliedSeconds);
    const result = (text: string): LabelSet => labelsOf({ result: text });
    sink.value('proxy_config_updates_total', result('applied'), this.configUpdates);
    sink.value('proxy_config_updates_total', result('refused'), this.configRefusals);
    for (const [kind, count] of this.#overflows) {
      sink.value('metrics_label_overflow_total', labelsOf({ kind }), count);
    }
    for (const collector of this.#collectors) collector(sink);
  }

  #collectIdentity(sink: MetricSink): void {
    if (this.certificateExpirySeconds === 0) return;
    const expiry = this.certificateExpirySeconds;
    sink.value('identity_cert_expiration_timestamp_seconds', noLabels, expiry);
    sink.value('control_identity_cert_expiration_timestamp_seconds', noLabels, expiry);
    sink.value(
      'identity_cert_not_before_timestamp_seconds',
      noLabels,
      this.certificateNotBeforeSeconds,
    );
    sink.value(
      'control_identity_cert_refresh_timestamp_seconds',
      noLabels,
      this.certificateRefreshedSeconds,
    );
    for (const name of [
      'identity_cert_refreshes_total',
      'control_identity_cert_refreshes_total',
    ] as const) {
      sink.value(name, labelsOf({ result: 'ok' }), this.certificateRefreshes);
      sink.value(name, labelsOf({ result: 'error' }), this.certificateRefreshErrors);
    }
  }
}

const ownerOf = ({ direction, dst, server }: RequestLabels): string =>
  JSON.stringify([direction, dst, server]);

const unnamed = (direction: Direction): RequestLabels => ({
  direction,
  dst: overflowLabel,
  service: overflowLabel,
  namespace: overflowLabel,
  route: overflowLabel,
});

function collectTransport(transport: TransportMetrics, sink: MetricSink): void {
  const { direction, peer, tls } = transport.labels;
  const labels = labelsOf({ direction, peer, tls });
  sink.value('tcp_open_total', labels, transport.openTotal);
  sink.value('tcp_open_connections', labels, transport.open);
  const closed = (classification: string): LabelSet =>
    labels.with('classification', classification);
  sink.value('tcp_close_total', closed('success'), transport.closedSuccess);
  sink.value('tcp_close_total', closed('failure'), transport.closedFailure);
  sink.value('tcp_read_bytes_total', labels, transport.readBytes);
  sink.value('tcp_write_bytes_total', labels, transport.writtenBytes);
}
