/** The fields that we read and write of Alertmanager's webhook payload, version 4. */
import type { MarkedAlert } from './marker.js';

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

/** The alerts in a webhook's payload. */
export const alertsOf = (payload: WebhookPayload): MarkedAlert[] =>
  payload.alerts.map((alert) => ({
    status: alert.status,
    labels: alert.labels,
    annotations: alert.annotations ?? {},
    startsAtMs: Date.parse(alert.startsAt),
    ...(alert.status === 'resolved' ? { endsAtMs: Date.parse(alert.endsAt) } : {}),
  }));
