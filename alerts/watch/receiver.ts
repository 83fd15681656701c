/** Receives every notification in place of a person's pager: servers on loopback for Alertmanager's integrations. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { readMarker } from './marker.js';
import type { ActiveAlert, Notification } from './model.js';
import { SinkProtocols, type SinkRequest, type Told } from './sink-protocols.js';
import { type Mail, SmtpSink } from './smtp-sink.js';
import { Unended } from './unended.js';
import { emailHeader, type Sink, type SinkAddresses } from './sunk-config.js';
import { alertsOf, type WebhookPayload } from './webhook-payload.js';

const bodyMaxBytes = 8 * 1024 * 1024;
const notificationsMax = 10_000;

/**
 * Interval of checks whether a notified alert has ended, and the time that a receiver has to be notified of the end.
 */
export const endsEveryMs = 500;
export const endsGraceMs = (evaluationIntervalMs: number): number =>
  Math.max(2000, 4 * evaluationIntervalMs);

/** All notifications of the receivers, and listeners for new ones. */
export class Receiver {
  readonly notifications: Notification[] = [];
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #mail: SmtpSink;
  readonly #sinks: readonly Sink[];
  readonly #protocols = new SinkProtocols();
  /** The last status and start of each alert, by its labels and the receiver. */
  readonly #said = new Map<string, string>();
  readonly #listeners = new Set<(notification: Notification) => void>();
  readonly #unended = new Unended();
  readonly #name: string | undefined;

  /** Serves the sinks of a user's receivers, or only the webhook of the receiver `name`. */
  constructor(clock: Clock, sinks: readonly Sink[] = [], name?: string) {
    this.#name = name;
    this.#clock = clock;
    this.#sinks = sinks;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#mail = new SmtpSink((mail) => this.#takeMail(mail));
  }

  /** Listens on loopback; the webhook of a single receiver is `<http>/webhook`. */
  async listen({ host = '127.0.0.1', port = 0 } = {}): Promise<SinkAddresses> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, resolve);
    });
    const http = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return { http, smtp: await this.#mail.listen() };
  }

  onNotification(listener: (notification: Notification) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Alertmanager sends the whole group whenever one of its alerts changes; unchanged alerts are dropped. */
  take({ alerts, via }: Told, receivedMs: number): void {
    for (const alert of alerts) {
      const labels = Object.entries(alert.labels).sort(([a], [b]) => (a < b ? -1 : 1));
      const key = JSON.stringify([via.receiver, via.integration, via.to, labels]);
      const said = `${alert.status} ${alert.startsAtMs}`;
      if (this.#said.get(key) === said) continue;
      this.#said.delete(key);
      this.#said.set(key, said);
      if (this.#said.size > notificationsMax) {
        for (const oldest of this.#said.keys()) {
          this.#said.delete(oldest);
          break;
        }
      }
      this.#unended.told(alert);
      this.#add({ receivedMs, ...alert, ...via });
    }
  }

  /** Whether any notified alert has no notification of its end yet. */
  get awaitsEnds(): boolean {
    return this.#unended.size > 0;
  }

  /** Ends alerts that are no longer active, whether or not a receiver is notified. */
  end(active: readonly Pick<ActiveAlert, 'labels'>[], nowMs: number, graceMs: number): void {
    for (const { alert, endedMs } of this.#unended.ended(active, nowMs, graceMs)) {
      this.#add({
        ...alert,
        receivedMs: nowMs,
        status: 'resolved',
        endsAtMs: endedMs,
        untold: true,
      });
    }
  }

  #add(notification: Notification): void {
    this.notifications.push(notification);
    if (this.notifications.length > notificationsMax) this.notifications.shift();
    for (const listener of this.#listeners) listener(notification);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all([closed, this.#mail.close()]);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const receivedMs = this.#clock.nowMs();
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bodyMaxBytes) chunks.push(chunk);
    });
    request.on('error', () => undefined);
    request.on('end', () => {
      if (bytes > bodyMaxBytes) return void response.writeHead(413).end();
      const body = Buffer.concat(chunks).toString();
      const { method = '', url = '' } = request;
      let told: Told | 'nothing new' | undefined;
      try {
        told = this.#read({ method, path: url, body }, receivedMs);
      } catch {
        told = undefined;
      }
      if (told === undefined) return void response.writeHead(400).end();
      if (told !== 'nothing new') this.take(told, receivedMs);
      // Slack requires this text; the other integrations only look at the status.
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    });
  }

  #read(request: SinkRequest, nowMs: number): Told | 'nothing new' | undefined {
    if (request.method === 'GET') return undefined;
    if (request.path === '/webhook') {
      const via = this.#name === undefined ? {} : { receiver: this.#name };
      return { alerts: alertsOf(JSON.parse(request.body) as WebhookPayload), via };
    }
    const [, number, path = ''] = /^\/sink\/(\d+)\/(.*)$/.exec(request.path) ?? [];
    const sink = this.#sinks[Number(number)];
    return sink && this.#protocols.read(sink, { ...request, path }, nowMs);
  }

  #takeMail({ to, headers }: Mail): void {
    const [, number, text] = /^(\d+) (.*)$/.exec(headers[emailHeader.toLowerCase()] ?? '') ?? [];
    const sink = this.#sinks[Number(number)];
    const alerts = readMarker(text ?? '');
    if (!sink || !alerts) return;
    const { receiver, integration } = sink;
    this.take({ alerts, via: { receiver, integration, to: to.join(', ') } }, this.#clock.nowMs());
  }
}
