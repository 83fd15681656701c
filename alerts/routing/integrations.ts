/**
 * The integrations of Alertmanager's receivers, 0.25 to 0.31: what each message says and to whom, and which of its
 * fields are addresses and secrets. Those are never followed: a drill's copy leads to a sink on loopback.
 */

export interface IntegrationKind {
  /** Fields of the message itself, kept as they are written. */
  message: readonly string[];
  /** Where it goes and by which secret: never read, never sent. */
  way: readonly string[];
  /** Whether resolved alerts are told where `send_resolved` is not written. */
  sendsResolved: boolean;
  /** One of each list has to be written, here or in `global`; what is in `global` begins with the prefix. */
  needs: readonly (readonly string[])[];
  globalPrefix: string;
}

const http = ['http_config', 'timeout'];

/** Those that a sink speaks the protocol of. */
export const spokenKinds = {
  webhook: {
    message: ['max_alerts'],
    way: [...http, 'url', 'url_file'],
    sendsResolved: true,
    needs: [['url', 'url_file']],
    globalPrefix: 'webhook_',
  },
  pagerduty: {
    message: [
      'client',
      'client_url',
      'description',
      'severity',
      'details',
      'images',
      'links',
      'source',
      'class',
      'component',
      'group',
    ],
    way: [...http, 'routing_key', 'routing_key_file', 'service_key', 'service_key_file', 'url'],
    sendsResolved: true,
    needs: [['routing_key', 'routing_key_file', 'service_key', 'service_key_file']],
    globalPrefix: 'pagerduty_',
  },
  opsgenie: {
    message: [
      'message',
      'description',
      'source',
      'details',
      'entity',
      'responders',
      'tags',
      'note',
      'priority',
      'actions',
      'update_alerts',
      'teams',
    ],
    way: [...http, 'api_key', 'api_key_file', 'api_url'],
    sendsResolved: true,
    needs: [['api_key', 'api_key_file']],
    globalPrefix: 'opsgenie_',
  },
  slack: {
    message: [
      'channel',
      'username',
      'color',
      'title',
      'title_link',
      'pretext',
      'text',
      'message_text',
      'fields',
      'short_fields',
      'footer',
      'fallback',
      'callback_id',
      'icon_emoji',
      'icon_url',
      'image_url',
      'thumb_url',
      'link_names',
      'mrkdwn_in',
      'actions',
    ],
    way: [...http, 'api_url', 'api_url_file', 'app_token', 'app_token_file', 'app_url'],
    sendsResolved: false,
    needs: [['api_url', 'api_url_file', 'app_token', 'app_token_file']],
    globalPrefix: 'slack_',
  },
  email: {
    message: ['to', 'from', 'hello', 'headers', 'html', 'text', 'threading'],
    way: [
      'smarthost',
      'auth_username',
      'auth_password',
      'auth_password_file',
      'auth_secret',
      'auth_secret_file',
      'auth_identity',
      'require_tls',
      'tls_config',
      'force_implicit_tls',
    ],
    sendsResolved: false,
    needs: [['to'], ['from'], ['smarthost']],
    globalPrefix: 'smtp_',
  },
} as const satisfies Record<string, IntegrationKind>;

export type SpokenKind = keyof typeof spokenKinds;

/** Those that a webhook stands in for, with whether they tell what is resolved. */
export const otherKinds: Readonly<Record<string, boolean>> = {
  discord: true,
  incidentio: true,
  jira: true,
  mattermost: true,
  msteams: true,
  msteamsv2: true,
  pushover: true,
  rocketchat: true,
  sns: true,
  telegram: true,
  victorops: true,
  webex: true,
  wechat: false,
};

export const isSpoken = (kind: string): kind is SpokenKind => Object.hasOwn(spokenKinds, kind);

/** `pagerduty_configs` is `pagerduty`; undefined for what is no list of integrations. */
export function kindOfKey(key: string): string | undefined {
  const kind = /^(\w+)_configs$/.exec(key)?.[1];
  return kind !== undefined && (isSpoken(kind) || Object.hasOwn(otherKinds, kind))
    ? kind
    : undefined;
}

export interface ReceiverIntegration {
  kind: string;
  /** Within the receiver, as Alertmanager counts: from 0 for each kind. */
  index: number;
  fields: Readonly<Record<string, unknown>>;
  sendsResolved: boolean;
}

/** What a receiver tells, in the order of its kinds; none: nobody is told. */
export function integrationsOf(receiver: object): ReceiverIntegration[] {
  return Object.entries(receiver).flatMap(([key, list]: [string, unknown]) => {
    const kind = kindOfKey(key);
    if (kind === undefined || !Array.isArray(list)) return [];
    return (list as Record<string, unknown>[]).map((fields, index) => {
      const own = fields.send_resolved;
      const standard = isSpoken(kind) ? spokenKinds[kind].sendsResolved : otherKinds[kind];
      return { kind, index, fields, sendsResolved: typeof own === 'boolean' ? own : !!standard };
    });
  });
}
