/**
 * The user's Alertmanager configuration for a drill: routes, grouping, inhibition and time intervals as written, and
 * every receiver replaced by one of the same name whose integrations lead to sinks on loopback. Secrets are neither
 * read nor copied.
 */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { glob } from '../../base/glob.js';
import type { AmConfig } from '../routing/config.js';
import {
  integrationsOf,
  isSpoken,
  type ReceiverIntegration,
  type SpokenKind,
  spokenKinds,
} from '../routing/integrations.js';
import { markerName, markerTemplate } from './marker.js';
import type { Integration } from './model.js';
import type { Via } from './sink-protocols.js';

/** One integration of one receiver, as the address of its notifications. */
export interface Sink {
  receiver: string;
  integration: Integration;
  /** The original kind, if the sink does not speak its protocol and a webhook replaces it. */
  inPlaceOf?: string;
  sendsResolved: boolean;
  fields: Readonly<Record<string, unknown>>;
}

export function sinksOf(config: AmConfig): Sink[] {
  return config.receivers.flatMap((receiver) =>
    integrationsOf(receiver).map(({ kind, fields, sendsResolved }) => ({
      receiver: receiver.name,
      integration: isSpoken(kind) ? kind : 'webhook',
      ...(isSpoken(kind) ? {} : { inPlaceOf: kind }),
      sendsResolved,
      fields,
    })),
  );
}

export interface SinkAddresses {
  /** `http://127.0.0.1:1234`; the sink's number and the protocol's path follow. */
  http: string;
  /** `127.0.0.1:2525` */
  smtp: string;
}

/** The copy that a real Alertmanager starts with; `config` is already at the drill's time scale. */
export function sunkConfig(config: AmConfig, file: string, addresses: SinkAddresses): AmConfig {
  let number = 0;
  const global = config.global ?? {};
  const kept = ['smtp_from', 'smtp_hello'].filter((field) => global[field] !== undefined);
  const { tracing: _, event_recorder: __, ...rest } = config;
  return {
    ...rest,
    global: Object.fromEntries(kept.map((field) => [field, global[field]])),
    receivers: config.receivers.map((receiver) => {
      const sunk: Record<string, unknown[]> = {};
      for (const integration of integrationsOf(receiver)) {
        const [kind, fields] = sunkIntegration(integration, number++, addresses);
        (sunk[`${kind}_configs`] ??= []).push(fields);
      }
      return { name: receiver.name, ...sunk };
    }),
    templates: templateFiles(config, file).found,
  };
}

/** Templates are read from their original files; `missing` are patterns without files. */
export function templateFiles(
  config: AmConfig,
  file: string,
): { found: string[]; missing: string[] } {
  const found: string[] = [];
  const missing: string[] = [];
  for (const pattern of config.templates ?? []) {
    const whole = resolve(dirname(file), pattern);
    const present = glob(whole).length > 0;
    (present ? found : missing).push(present ? whole : pattern);
  }
  return { found, missing };
}

function sunkIntegration(
  { kind, fields, sendsResolved }: ReceiverIntegration,
  number: number,
  { http, smtp }: SinkAddresses,
): [SpokenKind, Record<string, unknown>] {
  const url = `${http}/sink/${number}/`;
  const sends = { send_resolved: sendsResolved };
  if (!isSpoken(kind)) return ['webhook', { ...sends, url }];
  const message: readonly string[] = spokenKinds[kind].message;
  const own = Object.fromEntries(Object.entries(fields).filter(([name]) => message.includes(name)));
  const record = (value: unknown): object => (typeof value === 'object' ? (value ?? {}) : {});
  switch (kind) {
    case 'webhook':
      return [kind, { ...own, ...sends, url }];
    case 'pagerduty': {
      const details = { ...record(own.details), [markerName]: markerTemplate };
      // The older Events API is a different protocol, so a receiver that uses it keeps it.
      const old = fields.service_key !== undefined || fields.service_key_file !== undefined;
      const key = old ? { service_key: 'drill' } : { routing_key: 'drill' };
      return [kind, { ...own, ...sends, ...key, url, details }];
    }
    case 'opsgenie': {
      const details = { ...record(own.details), [markerName]: markerTemplate };
      return [kind, { ...own, ...sends, api_key: 'drill', api_url: url, details }];
    }
    case 'slack': {
      const written = Array.isArray(own.fields) ? (own.fields as unknown[]) : [];
      const marked = [...written, { title: markerName, value: markerTemplate }];
      // A message_text replaces the message's fields, one of which is needed here.
      delete own.message_text;
      return [kind, { ...own, ...sends, api_url: url, fields: marked }];
    }
    case 'email': {
      const headers = {
        ...record(own.headers),
        [emailHeader]: `${number} ${markerTemplate}`,
      };
      return [kind, { ...own, ...sends, smarthost: smtp, require_tls: false, headers }];
    }
  }
}

export const emailHeader = 'X-Firedrill';

/** The fields of a notification by the embedded watch: the written values, except those with templates. */
export function writtenVia(sink: Sink, groupKey: string): Via {
  const { receiver, integration, fields } = sink;
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' && !value.includes('{{') ? value : undefined;
  const isIncident = integration === 'pagerduty' || integration === 'opsgenie';
  const priority = text(
    integration === 'pagerduty' ? (fields.severity ?? 'error') : fields.priority,
  );
  const to = text(integration === 'slack' ? fields.channel : fields.to);
  return {
    receiver,
    integration,
    ...(isIncident && { dedupKey: createHash('sha256').update(groupKey).digest('hex') }),
    ...(isIncident && priority !== undefined && { priority }),
    ...(to !== undefined && { to: to.split(/,\s*/).join(', ') }),
  };
}
