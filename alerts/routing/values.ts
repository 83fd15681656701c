/**
 * The values in alertmanager.yml whose type Alertmanager checks when it starts: truths, whole numbers, durations,
 * addresses, and the lists that have fields of their own. No message shows a value, because it may be a secret.
 */
import { parseDurationMs } from '../../base/duration.js';
import type { Path } from '../../base/yaml.js';

export type Say = (path: Path, message: string, expected?: string) => void;

type Fields = Readonly<Record<string, unknown>>;

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));
const isText = (value: unknown, pattern: RegExp): boolean => pattern.test(String(value));
const isMap = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const mapsIn = (value: unknown): Fields[] => (Array.isArray(value) ? value : []).filter(isMap);

const truths = words(
  'continue send_resolved require_tls smtp_require_tls force_implicit_tls smtp_force_implicit_tls short_fields ' +
    'link_names update_alerts update_message monospace disable_notifications insecure_skip_verify ' +
    'follow_redirects enable_http2 proxy_from_environment',
);

/** Go reads `yes` and `off` without quotes as truths; YAML 1.2 as texts. */
export function truthOf(field: string, text: string, isPlain: () => boolean): unknown {
  if (!truths.has(field) || !isPlain()) return text;
  if (/^(y|Y|yes|Yes|YES|on|On|ON)$/.test(text)) return true;
  return /^(n|N|no|No|NO|off|Off|OFF)$/.test(text) ? false : text;
}

interface Type {
  fields: ReadonlySet<string>;
  holds: (value: unknown) => boolean;
  expected: string;
}

const version = (value: unknown): boolean => isText(value, /^TLS1[0-3]$/);
const goDuration = /^[+-]?(\d+|(([\d]+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+)$/;

const types: readonly Type[] = [
  { fields: truths, holds: (v) => typeof v === 'boolean', expected: 'true or false' },
  {
    fields: words('max_alerts'),
    holds: (v) => Number.isInteger(v) && (v as number) >= 0,
    expected: 'a whole number that is not negative',
  },
  {
    fields: words('chat_id message_thread_id'),
    holds: Number.isInteger,
    expected: 'a whole number',
  },
  {
    fields: words('resolve_timeout'),
    holds: (v) => parseDurationMs(String(v)) !== undefined,
    expected: 'a duration such as 5m',
  },
  { fields: words('timeout'), holds: (v) => isText(v, goDuration), expected: 'such as 30s' },
  {
    fields: words(
      'url api_url webhook_url app_url pagerduty_url opsgenie_api_url victorops_api_url wechat_api_url ' +
        'telegram_api_url webex_api_url jira_api_url slack_api_url slack_app_url rocketchat_api_url ' +
        'mattermost_webhook_url',
    ),
    holds: (v) => isText(v, /^https?:\/\/[^/?#]|^<secret>$|\{\{/i),
    expected: 'an address that begins with http:// or https://',
  },
  {
    fields: words('smarthost smtp_smarthost'),
    holds: (v) => isText(v, /^(\[[^\]]*\]|[^:[\]]*):[^:[\]]+$/),
    expected: 'host:port',
  },
  {
    fields: words('min_version max_version'),
    holds: version,
    expected: 'TLS10, TLS11, TLS12 or TLS13',
  },
  {
    fields: words('parse_mode'),
    holds: (v) => isText(v, /^(Markdown|MarkdownV2|HTML|)$/),
    expected: 'Markdown, MarkdownV2, HTML or nothing',
  },
];

/** Texts in spite of their name. */
const texts: Readonly<Record<string, ReadonlySet<string>>> = {
  sns: words('api_url'),
  pushover: words('url'),
};

/** Checks the fields of `global` (kind '') or of an integration. */
export function problemsOfValues(kind: string, fields: Fields, path: Path, say: Say): void {
  for (const [field, value] of Object.entries(fields)) {
    if (field === 'http_config') problemsOfHttp(value, [...path, field], say);
    else if (field.endsWith('tls_config')) problemsOfTls(value, [...path, field], say);
    if (texts[kind]?.has(field)) continue;
    const type = types.find((t) => t.fields.has(field));
    if (type && !type.holds(value)) say([...path, field], field, type.expected);
  }
  special[kind]?.(fields, path, say);
}

const httpFields = words(
  'basic_auth authorization oauth2 bearer_token bearer_token_file tls_config follow_redirects enable_http2 ' +
    'http_headers proxy_url no_proxy proxy_from_environment proxy_connect_header',
);
const tlsFields = words(
  'ca cert key ca_file cert_file key_file ca_ref cert_ref key_ref server_name insecure_skip_verify ' +
    'min_version max_version',
);

function problemsOfHttp(value: unknown, path: Path, say: Say): void {
  if (!knownFields(value, httpFields, path, say)) return;
  const ways = ['basic_auth', 'authorization', 'oauth2', 'bearer_token', 'bearer_token_file'];
  const [first, second] = ways.filter((way) => value[way] !== undefined);
  if (second !== undefined) say([...path, second], `${second} beside ${first}`, 'one of them');
  problemsOfValues('', value, path, say);
}

function problemsOfTls(value: unknown, path: Path, say: Say): void {
  if (knownFields(value, tlsFields, path, say)) problemsOfValues('', value, path, say);
}

function knownFields(
  value: unknown,
  known: ReadonlySet<string>,
  path: Path,
  say: Say,
): value is Fields {
  if (!isMap(value)) {
    say(path, String(path.at(-1)), 'a map of fields');
    return false;
  }
  for (const field of Object.keys(value)) {
    if (!known.has(field)) say([...path, field], `unknown field '${field}' in ${path.at(-1)}`);
  }
  return true;
}

/** Says where a map of a list lacks all of the fields. */
function need(list: string, ...each: string[][]): (fields: Fields, path: Path, say: Say) => void {
  return (fields, path, say) =>
    mapsIn(fields[list]).forEach((item, i) => {
      const missing = each.find((names) => names.every((n) => (item[n] ?? '') === ''));
      if (missing) say([...path, list, i], `an entry of ${list} without ${missing.join(' or ')}`);
    });
}

const responder = /^(team|teams|user|escalation|schedule)$|\{\{/i;
const fixedFields = words(
  'routing_key message_type state_message entity_display_name monitoring_tool entity_id entity_state',
);

const special: Readonly<Record<string, (fields: Fields, path: Path, say: Say) => void>> = {
  email: ({ headers }, path, say) => {
    const names = Object.keys(isMap(headers) ? headers : {});
    const first = new Set<string>();
    for (const name of names) {
      if (first.has(name.toLowerCase())) {
        say([...path, 'headers', name], `a second header ${name}`, 'one of each name');
      }
      first.add(name.toLowerCase());
    }
  },
  opsgenie: (fields, path, say) => {
    need('responders', ['id', 'name', 'username'], ['type'])(fields, path, say);
    mapsIn(fields.responders).forEach(({ type = 'team' }, i) => {
      if (isText(type, responder)) return;
      say([...path, 'responders', i, 'type'], 'type', 'team, teams, user, escalation or schedule');
    });
  },
  slack: (fields, path, say) => {
    need('fields', ['title'], ['value'])(fields, path, say);
    need('actions', ['type'], ['text'], ['url', 'name'])(fields, path, say);
  },
  sns: (fields, path, say) => {
    const [first, second] = Object.keys(fields).filter((field) => /_arn$|^phone_/.test(field));
    if (second !== undefined) say([...path, second], `${second} beside ${first}`, 'one of them');
    const { access_key: key, secret_key: secret } = isMap(fields.sigv4) ? fields.sigv4 : {};
    if ((key === undefined) !== (secret === undefined)) {
      say([...path, 'sigv4'], 'one half of a key', 'both keys or none');
    }
  },
  victorops: (fields, path, say) => {
    for (const field of Object.keys(isMap(fields.custom_fields) ? fields.custom_fields : {})) {
      if (!fixedFields.has(field)) continue;
      say([...path, 'custom_fields', field], `'${field}' is a field already`, 'another name');
    }
  },
  webex: ({ http_config: http }, path, say) => {
    if (isMap(http) && http.authorization !== undefined) return;
    say(path, 'webex without http_config.authorization');
  },
};
