/**
 * The integrations of Alertmanager 0.25 to 0.34: the fields of their messages, and those that hold addresses or
 * secrets. A drill never uses these addresses: its copy of the configuration leads to a sink on loopback.
 */

export interface IntegrationKind {
  /** Fields of the message, which the copy keeps. */
  message: readonly string[];
  /** Fields of address and secret, which are never read or used. */
  way: readonly string[];
  /** Default of `send_resolved`. */
  sendsResolved: boolean;
  /** Required fields: one of each list, here or in `global`, where the field's name begins with the prefix. */
  needs: readonly (readonly string[])[];
  globalPrefix: string;
}

const http = ['http_config', 'timeout'];

/** Kinds whose protocol the sink speaks. */
export const spokenKinds = {
  webhook: {
    message: ['max_alerts'],
    way: [...http, 'url', 'url_file', 'payload'],
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
    way: [
      ...http,
      'api_url',
      'api_url_file',
      'app_token',
      'app_token_file',
      'app_url',
      'update_message',
    ],
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

/** A kind with its address fields and required fields; the copy keeps nothing of its message. */
const other = (
  globalPrefix: string,
  fields: string,
  needs: readonly (readonly string[])[],
  sendsResolved = true,
): IntegrationKind => ({
  message: [],
  way: [...http, ...fields.split(' ')],
  sendsResolved,
  needs,
  globalPrefix,
});

const webhookUrl = ['webhook_url', 'webhook_url_file'] as const;

/** Kinds that a webhook replaces in a drill. */
const otherKinds: Readonly<Record<string, IntegrationKind>> = {
  discord: other(
    'discord_',
    'webhook_url webhook_url_file content title message username avatar_url',
    [webhookUrl],
  ),
  incidentio: other(
    'incidentio_',
    'url url_file alert_source_token alert_source_token_file max_alerts',
    [['url', 'url_file']],
  ),
  jira: other(
    'jira_',
    'api_url api_type project summary description labels priority issue_type reopen_transition ' +
      'resolve_transition wont_fix_resolution reopen_duration fields custom_fields',
    [['api_url'], ['project'], ['issue_type']],
  ),
  mattermost: other(
    'mattermost_',
    'webhook_url webhook_url_file channel username text fallback color pretext author_name author_link ' +
      'author_icon title title_link fields thumb_url footer footer_icon image_url icon_url icon_emoji ' +
      'attachments type props priority',
    [webhookUrl],
  ),
  msteams: other('msteams_', 'webhook_url webhook_url_file title summary text', [webhookUrl]),
  msteamsv2: other('msteamsv2_', 'webhook_url webhook_url_file title text', [webhookUrl]),
  pushover: other(
    'pushover_',
    'user_key user_key_file token token_file title message url url_title device sound priority retry ' +
      'expire ttl html monospace',
    [
      ['user_key', 'user_key_file'],
      ['token', 'token_file'],
    ],
  ),
  rocketchat: other(
    'rocketchat_',
    'api_url token_id token_id_file token token_file channel color title title_link text fields ' +
      'short_fields emoji icon_url image_url thumb_url link_names actions',
    [
      ['token', 'token_file'],
      ['token_id', 'token_id_file'],
    ],
    false,
  ),
  sns: other(
    'sns_',
    'api_url sigv4 topic_arn phone_number target_arn subject message attributes use_aws_http_client',
    [['topic_arn', 'phone_number', 'target_arn']],
  ),
  telegram: other(
    'telegram_',
    'api_url bot_token bot_token_file chat_id chat_id_file message_thread_id message ' +
      'disable_notifications parse_mode',
    [
      ['bot_token', 'bot_token_file'],
      ['chat_id', 'chat_id_file'],
    ],
  ),
  victorops: other(
    'victorops_',
    'api_key api_key_file api_url routing_key message_type state_message entity_display_name ' +
      'monitoring_tool custom_fields',
    [['api_key', 'api_key_file'], ['routing_key']],
  ),
  webex: other('webex_', 'api_url message room_id', [['room_id']]),
  wechat: other(
    'wechat_',
    'api_secret api_secret_file corp_id message api_url to_user to_party to_tag agent_id message_type',
    // Named wechat_api_corp_id in `global`.
    [
      ['api_secret', 'api_secret_file'],
      ['corp_id', 'api_corp_id'],
    ],
    false,
  ),
};

/** Fields of `global` that no integration's prefix covers. */
export const globalFields: readonly string[] = [
  'resolve_timeout',
  'http_config',
  ...['from', 'hello', 'smarthost', 'require_tls', 'tls_config', 'force_implicit_tls'].map(
    (field) => `smtp_${field}`,
  ),
  ...['username', 'password', 'password_file', 'secret', 'secret_file', 'identity'].map(
    (field) => `smtp_auth_${field}`,
  ),
  ...['api_url', 'api_url_file', 'app_token', 'app_token_file', 'app_url'].map((f) => `slack_${f}`),
  'pagerduty_url',
  ...['opsgenie', 'victorops'].flatMap((kind) =>
    ['api_url', 'api_key', 'api_key_file'].map((field) => `${kind}_${field}`),
  ),
  ...['url', 'secret', 'secret_file', 'corp_id'].map((field) => `wechat_api_${field}`),
  ...['api_url', 'bot_token', 'bot_token_file'].map((field) => `telegram_${field}`),
  'webex_api_url',
  'jira_api_url',
  ...['api_url', 'token', 'token_file', 'token_id', 'token_id_file'].map((f) => `rocketchat_${f}`),
  ...webhookUrl.map((field) => `mattermost_${field}`),
];

export const isSpoken = (kind: string): kind is SpokenKind => Object.hasOwn(spokenKinds, kind);

/** The kind of that name; undefined if there is none. */
export const kindNamed = (kind: string): IntegrationKind | undefined =>
  isSpoken(kind)
    ? spokenKinds[kind]
    : Object.hasOwn(otherKinds, kind)
      ? otherKinds[kind]
      : undefined;

/** The kind of a key such as `pagerduty_configs`; undefined if the key is not a list of integrations. */
export function kindOfKey(key: string): string | undefined {
  const kind = /^(\w+)_configs$/.exec(key)?.[1];
  return kind !== undefined && kindNamed(kind) ? kind : undefined;
}

export interface ReceiverIntegration {
  kind: string;
  /** Index among the receiver's integrations of the same kind, from 0, as Alertmanager counts. */
  index: number;
  fields: Readonly<Record<string, unknown>>;
  sendsResolved: boolean;
}

/** The integrations of a receiver by kind; an empty list notifies nobody. */
export function integrationsOf(receiver: object): ReceiverIntegration[] {
  return Object.entries(receiver).flatMap(([key, list]: [string, unknown]) => {
    const kind = kindOfKey(key);
    if (kind === undefined || !Array.isArray(list)) return [];
    return (list as Record<string, unknown>[]).map((fields, index) => {
      const own = fields.send_resolved;
      const standard = kindNamed(kind)?.sendsResolved ?? true;
      return { kind, index, fields, sendsResolved: typeof own === 'boolean' ? own : standard };
    });
  });
}
