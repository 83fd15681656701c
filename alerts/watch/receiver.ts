/** The far end of every alert: an HTTP server that Alertmanager's webhooks reach, where a person's pager would be. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.js';
import type { Notification } from './model.js';

/** Alertmanager's webhook payload, version 4: what we read of it. */
export interface WebhookPayload {
  version: string;
  groupKey: string;
  status: 'firing' | 'resolved';
  receiver: string;
  groupLabels: Record<string, string>;
  commonLabels: Record<string, string>;
  commonAnnotations: Record<string, string>;
  externalURL: string;
  alerts: WebhookAlert[];
}

export interface WebhookAlert {
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  generatorURL: string;
  fingerprint: string;
}

const bodyMaxBytes = 4 * 1024 * 1024;
const notificationsMax = 10_000;

export class Receiver {
  readonly notifications: Notification[] = [];
  readonly #clock: Clock;
  readonly #server: Server;
  /** Status and start of each alert as last said, by its labels. */
  readonly #said = new Map<string, string>();
  readonly #listeners = new Set<(notification: Notification) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** Listens on loopback; returns the webhook's URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/webhook`;
  }

  onNotification(listener: (notification: Notification) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A group is sent whole whenever one of its alerts changes: what says nothing new is dropped. */
  take(payload: WebhookPayload, receivedMs: number): void {
    for (const alert of payload.alerts) {
      const key = JSON.stringify(Object.entries(alert.labels).sort());
      const said = `${alert.status} ${alert.startsAt}`;
      if (this.#said.get(key) === said) continue;
      this.#said.delete(key);
      this.#said.set(key, said);
      if (this.#said.size > notificationsMax) {
        for (const oldest of this.#said.keys()) {
          this.#said.delete(oldest);
          break;
        }
      }
      const notification: Notification = {
        receivedMs,
        status: alert.status,
        labels: alert.labels,
        annotations: alert.annotations ?? {},
        startsAtMs: Date.parse(alert.startsAt),
        ...(alert.status === 'resolved' ? { endsAtMs: Date.parse(alert.endsAt) } : {}),
      };
      this.notifications.push(notification);
      if (this.notifications.length > notificationsMax) this.notifications.shift();
      for (const listener of this.#listeners) listener(notification);
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
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
      if (request.method !== 'POST' || bytes > bodyMaxBytes) {
        response.writeHead(request.method === 'POST' ? 413 : 405).end();
        return;
      }
      try {
        this.take(JSON.parse(Buffer.concat(chunks).toString()) as WebhookPayload, receivedMs);
        response.writeHead(200).end();
      } catch {
        response.writeHead(400).end();
      }
    });
  }
}
