/** Reads each Alertmanager integration's protocol back into alerts, and into the fields that a pager shows. */
import { type MarkedAlert, markerName, readMarker } from './marker.js';
import type { Notification } from './model.js';
import { alertsOf, type WebhookPayload } from './webhook-payload.js';
import type { Sink } from './sunk-config.js';

/** Fields of a notification beside its alerts. */
export type Via = Pick<Notification, 'receiver' | 'integration' | 'dedupKey' | 'priority' | 'to'>;

export interface Told {
  alerts: MarkedAlert[];
  via: Via;
}

export interface SinkRequest {
  method: string;
  /** Path after the sink's own address, with its query. */
  path: string;
  body: string;
}

const aliasesMax = 10_000;

/** Reads a request; undefined if it is not part of the protocol, which is answered with 400. */
export class SinkProtocols {
  /** Alerts of each open OpsGenie incident by alias, because OpsGenie closes an incident by its alias alone. */
  readonly #open = new Map<string, MarkedAlert[]>();

  read(sink: Sink, request: SinkRequest, nowMs: number): Told | 'nothing new' | undefined {
    const { receiver, integration } = sink;
    if (integration === 'opsgenie') return this.#opsgenie(sink, request, nowMs);
    const body = JSON.parse(request.body) as unknown;
    const via: Via = { receiver, integration };
    switch (integration) {
      case 'webhook':
        return { alerts: alertsOf(body as WebhookPayload), via };
      case 'pagerduty':
        return pagerduty(body as PagerDutyEvent, via);
      case 'slack':
        return slack(body as SlackMessage, via);
      default:
        return undefined;
    }
  }

  #opsgenie(sink: Sink, request: SinkRequest, nowMs: number): Told | 'nothing new' | undefined {
    const { receiver, integration } = sink;
    const [, alias, action] = /^v2\/alerts(?:\/([^/?]+)\/(\w+))?(?:\?|$)/.exec(request.path) ?? [];
    if (alias !== undefined) {
      const alerts = action === 'close' ? this.#open.get(alias) : undefined;
      if (!alerts) return 'nothing new';
      this.#open.delete(alias);
      const closed = alerts.map((a): MarkedAlert => ({
        ...a,
        status: 'resolved',
        endsAtMs: a.endsAtMs ?? nowMs,
      }));
      return { alerts: closed, via: { receiver, integration, dedupKey: alias } };
    }
    if (!/^v2\/alerts(\?|$)/.test(request.path)) return undefined;
    const body = JSON.parse(request.body) as OpsGenieAlert;
    const alerts = readMarker(body.details?.[markerName] ?? '');
    if (!alerts || body.alias === undefined) return undefined;
    if (this.#open.size >= aliasesMax) this.#open.clear();
    this.#open.set(body.alias, alerts);
    const priority = body.priority === undefined ? {} : { priority: body.priority };
    const to = (body.responders ?? []).map((r) => r.name ?? r.username ?? r.id ?? '').join(', ');
    return {
      alerts,
      via: { receiver, integration, dedupKey: body.alias, ...priority, ...(to && { to }) },
    };
  }
}

interface OpsGenieAlert {
  alias?: string;
  priority?: string;
  details?: Record<string, string>;
  responders?: { name?: string; username?: string; id?: string }[];
}

interface PagerDutyEvent {
  /** PagerDuty's Events API v2. */
  dedup_key?: string;
  payload?: { severity?: string; custom_details?: Record<string, unknown> };
  /** PagerDuty's older generic API. */
  incident_key?: string;
  details?: Record<string, unknown>;
}

function pagerduty(event: PagerDutyEvent, via: Via): Told | undefined {
  const details = event.payload?.custom_details ?? event.details;
  const alerts = readMarker(String(details?.[markerName] ?? ''));
  const dedupKey = event.dedup_key ?? event.incident_key;
  if (!alerts || dedupKey === undefined) return undefined;
  const severity = event.payload?.severity;
  return { alerts, via: { ...via, dedupKey, ...(severity && { priority: severity }) } };
}

interface SlackMessage {
  channel?: string;
  attachments?: { fields?: { title?: string; value?: string }[] }[];
}

function slack(message: SlackMessage, via: Via): Told | undefined {
  const fields = message.attachments?.flatMap((a) => a.fields ?? []) ?? [];
  const alerts = readMarker(fields.find((f) => f.title === markerName)?.value ?? '');
  if (!alerts) return undefined;
  return { alerts, via: { ...via, ...(message.channel && { to: message.channel }) } };
}
