/** A user's alertmanager.yml: every mistake has its place, and a drill's copy keeps exactly the allowed parts. */
import { describe, expect, test } from 'vitest';
import { readAmConfigText } from '../../alerts/routing/config.js';
import { atTimeScale } from '../../alerts/routing/time-scale.js';
import { sinksOf, sunkConfig } from '../../alerts/watch/sunk-config.js';
import { UserError } from '../../base/errors.js';

const good = `route:
  receiver: a
  routes:
    - receiver: b
      matchers: [team="x"]
receivers:
  - name: a
    webhook_configs:
      - url: http://pager.example/secret-of-url
  - name: b
`;

const refusals: [string, [string, string], string][] = [
  ['an unknown field', ['receivers:', 'recievers:'], "6:1: unknown field 'recievers'"],
  [
    'a receiver that is not there',
    ['receiver: b', 'receiver: c'],
    "4:17: there is no receiver 'c'",
  ],
  ['a bad matcher', ['team="x"', 'team~"x"'], '5:18: the matcher team~"x"'],
  ['a bad pattern', ['team="x"', '\'team=~"("\''], '5:18: the matcher team=~"("'],
  [
    'a bad duration',
    ['receiver: b', 'receiver: b\n      group_wait: soon'],
    '5:19: not a duration: soon',
  ],
  [
    'an interval of nothing',
    ['receiver: b', 'receiver: b\n      group_interval: 0s'],
    '5:23: group_interval cannot be zero',
  ],
  [
    'a time interval that is not there',
    ['receiver: b', 'receiver: b\n      mute_time_intervals: [night]'],
    "5:29: there is no time interval 'night'",
  ],
  [
    'a first route that does not take all',
    ['  receiver: a\n', '  receiver: a\n  matchers: [a="b"]\n'],
    '3:13: the first route takes every alert: it must have no matchers',
  ],
  ['a receiver twice', ['name: b', 'name: a'], "10:11: the receiver 'a' appears twice"],
  [
    'an integration of no kind',
    ['webhook_configs', 'webhok_configs'],
    "8:5: unknown field 'webhok_configs'",
  ],
  [
    'an integration without a way',
    ['url: http', 'max_alerts: 1 #'],
    "9:9: webhook of 'a' has no url",
  ],
  [
    'an unknown field of an integration',
    ['url: http', 'urll: 1\n        url: http'],
    "9:15: unknown field 'urll'",
  ],
  [
    'a secret twice',
    ['url: http', 'url_file: secret-file\n        url: http'],
    '9:19: url_file beside url; expected at most one of the two',
  ],
  [
    'a secret twice for all',
    ['route:\n', 'global: { opsgenie_api_key: secret, opsgenie_api_key_file: b }\nroute:\n'],
    '1:60: opsgenie_api_key_file beside opsgenie_api_key',
  ],
  [
    'two ways to Slack',
    ['name: b', 'name: b\n    slack_configs: [{ api_url: secret, app_token_file: a }]'],
    '11:56: app_token_file beside api_url',
  ],
  [
    'a message to change afterwards, sent by a webhook',
    ['name: b', 'name: b\n    slack_configs: [{ api_url: secret, update_message: true }]'],
    '11:56: update_message without a bot; expected api_url: https://slack.com/api/chat.postMessage',
  ],
  [
    'a function that no template has',
    ['name: b', "name: b\n    sns_configs: [{ topic_arn: a, message: '{{ .Status | upper }}' }]"],
    '11:58: bad template: function "upper" not defined',
  ],
  [
    'a template that nobody defines',
    ['name: b', `name: b\n    sns_configs: [{ topic_arn: a, message: '{{ template "x" . }}' }]`],
    "11:48: no template 'x' is defined",
  ],
  [
    'an unknown field for all',
    ['route:\n', 'global: { slack_url: secret }\nroute:\n'],
    "1:22: unknown field 'slack_url' in global",
  ],
  [
    'a kind that a webhook stands in for, without a way',
    ['name: b', 'name: b\n    telegram_configs: [{ bot_token: secret }]'],
    "11:24: telegram of 'b' has no chat_id, chat_id_file",
  ],
  [
    'an unknown field of such a kind',
    ['name: b', 'name: b\n    sns_configs: [{ topic: secret, topic_arn: a }]'],
    "11:28: unknown field 'topic' in sns_configs",
  ],
  [
    'a pattern that is null',
    ['matchers: [team="x"]', 'match_re: { team: }'],
    '5:25: route.routes.0.match_re.team: expected a regular expression',
  ],
  [
    "a receiver's own name, another one",
    ['name: b', 'name: b\n    labels: { name: c }'],
    '11:13: receivers.1.labels: expected texts, and as name b',
  ],
  [
    'labels twice in a grouping',
    ['receiver: b', 'receiver: b\n      group_by: [a, a]'],
    "5:21: the label 'a' appears twice",
  ],
  [
    'a list as a duration',
    ['receiver: b', 'receiver: b\n      group_wait: [5m]'],
    '5:19: route.routes.0.group_wait: expected text',
  ],
  [
    'no label in a grouping',
    ['receiver: b', 'receiver: b\n      group_by: [~]'],
    "5:18: not a label: ''",
  ],
];

/** Values that Alertmanager refuses when it starts; each as fields of `b`, or of the whole file. */
const inReceiver: [string, string][] = [
  ['webhook_configs: [{ url: secret.example/x }]', '11:30: url; expected an address'],
  ["webhook_configs: [{ url: 'ftp://secret' }]", '11:30: url; expected an address'],
  ['webhook_configs: [{ url: http://a, max_alerts: many }]', '11:52: max_alerts; expected a whole'],
  ['webhook_configs: [{ url: http://a, max_alerts: -1 }]', '11:52: max_alerts; expected a whole'],
  [
    'email_configs: [{ to: a@b.c, from: a@b.c, smarthost: "h:25", headers: { Subject: a, subject: b } }]',
    '11:98: a second header subject; expected one of each name',
  ],
  ['webhook_configs: [{ url: http://a, send_resolved: maybe }]', '11:55: send_resolved; expected'],
  ['webhook_configs: [{ url: http://a, timeout: soon }]', '11:49: timeout; expected such as 30s'],
  [
    'webhook_configs: [{ url: http://a, http_config: { basicauth: {} } }]',
    "11:66: unknown field 'basicauth' in http_config",
  ],
  [
    'webhook_configs: [{ url: http://a, http_config: { basic_auth: {}, oauth2: {} } }]',
    '11:79: oauth2 beside basic_auth; expected one of them',
  ],
  [
    'webhook_configs: [{ url: http://a, http_config: { tls_config: { min_version: 1.2 } } }]',
    '11:82: min_version; expected TLS10',
  ],
  [
    'webhook_configs: [{ url: http://a, http_config: { tls_config: { verify: no } } }]',
    "11:77: unknown field 'verify' in tls_config",
  ],
  ['webhook_configs: [{ url: http://a, http_config: on }]', '11:53: http_config; expected a map'],
  [
    'email_configs: [{ to: a, from: b, smarthost: secret.example }]',
    '11:50: smarthost; expected host:port',
  ],
  ['telegram_configs: [{ bot_token: secret, chat_id: "@a" }]', '11:54: chat_id; expected a whole'],
  [
    'telegram_configs: [{ bot_token: secret, chat_id: -1, parse_mode: Word }]',
    '11:70: parse_mode; expected Markdown, MarkdownV2, HTML or nothing',
  ],
  [
    'opsgenie_configs: [{ api_key: secret, responders: [{ name: a, type: boss }] }]',
    '11:73: type; expected team, teams, user, escalation or schedule',
  ],
  [
    'opsgenie_configs: [{ api_key: secret, responders: [{ type: team }] }]',
    '11:56: an entry of responders without id or name or username',
  ],
  [
    "slack_configs: [{ api_url: 'http://secret', fields: [{ title: a }] }]",
    '11:58: an entry of fields without value',
  ],
  [
    "slack_configs: [{ api_url: 'http://secret', actions: [{ type: a, text: b }] }]",
    '11:59: an entry of actions without url or name',
  ],
  ['sns_configs: [{ topic_arn: a, phone_number: b }]', '11:49: phone_number beside topic_arn'],
  ['sns_configs: [{ topic_arn: a, sigv4: { access_key: b } }]', '11:42: one half of a key'],
  [
    'victorops_configs: [{ api_key: secret, routing_key: r, custom_fields: { entity_id: x } }]',
    "11:88: 'entity_id' is a field already",
  ],
  ['webex_configs: [{ room_id: a }]', '11:21: webex without http_config.authorization'],
];

const inFile: [string, string][] = [
  ['global: { resolve_timeout: 5x }', '12:28: resolve_timeout; expected a duration'],
  ['global: { smtp_smarthost: secret }', '12:27: smtp_smarthost; expected host:port'],
  ['global: { smtp_require_tls: maybe }', '12:29: smtp_require_tls; expected true or false'],
  ['global: { slack_api_url: hooks.secret }', '12:26: slack_api_url; expected an address'],
  ['inhibit_rules: [{ equal: [""] }]', "12:27: not a label: ''"],
  [
    'inhibit_rules: [{ source_match: { service.name: a } }]',
    "12:49: not a label: 'service.name'; expected matchers for such a name",
  ],
  ...(
    [
      ['times: [{ start_time: "22:00", end_time: "06:00" }]', '9: 22:00 to 06:00 ends before it'],
      ['weekdays: ["friday:mon"]', '12: the weekday friday:mon'],
      ['months: [13]', '10: the month 13; expected 1 to 12, or a name'],
      ['weekdays: ["1:5"]', '12: the weekday 1:5; expected such as monday'],
      ['weekdays: [monday, mon]', '20: the weekday mon'],
      ['months: ["1:3", "11:2"]', '17: 11:2 ends before it begins'],
      ['months: ["1:2:3"]', '10: the range 1:2:3'],
      ['years: ["2027:2026"]', '9: 2027:2026 ends before it begins'],
      ['days_of_month: ["0"]', '17: the days 0; expected such as 1:15'],
      ['days_of_month: ["1:32"]', '17: the days 1:32'],
      ['days_of_month: ["-1:1"]', '17: the days -1:1'],
      ['days_of_month: ["30:-1"]', '17: 30:-1 ends before it begins'],
      ['location: europe/berlin', '11: the time zone europe/berlin'],
      ['location: "+02:00"', '11: the time zone +02:00'],
    ] as const
  ).map(([fields, wanted]): [string, string] => {
    const [column = '', ...words] = wanted.split(': ');
    const start = 'time_intervals: [{ name: n, time_intervals: [{ ';
    const at = start.length + Number(column);
    return [`${start}${fields} }] }]`, `12:${at}: ${words.join(': ')}`];
  }),
];

test.each([
  ...inReceiver.map(([text, wanted]) => [`${good}    ${text}\n`, wanted]),
  ...inFile.map(([text, wanted]) => [`${good}\n${text}\n`, wanted]),
])('%j is refused as Alertmanager refuses it', (text = '', wanted = '') => {
  let message = '';
  try {
    readAmConfigText('am.yml', text);
  } catch (error) {
    ({ message } = error as UserError);
  }
  expect(message).toContain(`am.yml:${wanted}`);
  expect(message).not.toContain('secret');
});

test.each([
  'webhook_configs: [{ url: "{{ .GroupLabels.a }}", timeout: 1m30s, send_resolved: off }]',
  'pushover_configs: [{ user_key: a, token: b, url: x }]',
  'sns_configs: [{ topic_arn: a, api_url: x }]',
  'slack_configs: [{ api_url: <secret>, fields: [{ title: a, value: b, short: true }] }]',
  'opsgenie_configs: [{ api_key: a, responders: [{ id: b, type: "{{ .a }}" }] }]',
  'email_configs: [{ to: a, from: b, smarthost: "[::1]:25", html: "<b>" }]',
  'webex_configs: [{ room_id: a, http_config: { authorization: { credentials: b } } }]',
])('%s is read', (text) => {
  const { receivers } = readAmConfigText('am.yml', `${good}    ${text}\n`);
  expect(receivers[1]).toMatchObject({ name: 'b' });
});

test('a truth of Go is one, and a name that is a number is its text', () => {
  const text = good
    .replace('      - url', '      - send_resolved: no\n        url')
    .replace('receiver: b', 'receiver: 7\n      continue: yes')
    .replace('name: b', 'name: 7');
  const config = readAmConfigText('am.yml', text);
  expect(sinksOf(config).map((s) => s.sendsResolved)).toEqual([false]);
  expect(config.route.routes).toMatchObject([{ receiver: '7', continue: true }]);
});

test.each(['"yes"', "'on'", 'oN', 'tRUE', '!!str true', '1'])('%s is no truth', (written) => {
  const text = good.replace('      - url', `      - send_resolved: ${written}\n        url`);
  expect(() => readAmConfigText('am.yml', text)).toThrow(/send_resolved.*expected true or false/);
});

test.each([
  ['AlertmanagerConfig', 'an alertmanager.yml, as the operator writes it into the secret'],
  ['Secret', 'an alertmanager.yml, the text that the object contains, decoded'],
])('an object of Kubernetes is named: %s', (kind, expected) => {
  const text = `apiVersion: v1\nkind: ${kind}\nspec: { route: { receiver: a } }\n`;
  expect(() => readAmConfigText('am.yml', text)).toThrow(
    `am.yml:2:7: an object of Kubernetes (${kind}); expected ${expected}`,
  );
});

test('templates of a pattern without files are not judged', () => {
  const text = `templates: ['/nowhere/*.tmpl']
route: { receiver: a }
receivers: [{ name: a, webhook_configs: [{ url: 'http://x/{{ template "t" . }}' }] }]
`;
  expect(() => readAmConfigText('a.yml', text)).not.toThrow();
  expect(() => readAmConfigText('a.yml', text.replace(/^.*\n/, ''))).toThrow(
    "no template 't' is defined",
  );
});

test.each([
  ['slack.default.title', true],
  ['__text_alert_list_markdown', true],
  ['msteamsv2.default.text', true],
  ['slack.default.titel', false],
  ['__subjekt', false],
])('the template %s is one of Alertmanager: %s', (name, is) => {
  const text = `route: { receiver: a }
receivers: [{ name: a, webhook_configs: [{ url: 'http://x/{{ template "${name}" . }}' }] }]
`;
  const read = (): unknown => readAmConfigText('a.yml', text);
  if (is) expect(read).not.toThrow();
  else expect(read).toThrow(`no template '${name}' is defined`);
});

describe('refused, with its place', () => {
  test.each(refusals)('%s', (_, [from, to], wanted) => {
    expect(good).toContain(from);
    let message = '';
    try {
      readAmConfigText('am.yml', good.replace(from, to));
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      ({ message } = error as UserError);
    }
    expect(message).toContain(`am.yml:${wanted}`);
    expect(message).not.toContain('secret');
  });

  test.each([
    ['labels of a route', ['receiver: b', 'receiver: b\n      labels: { tier: 1 }']],
    ['labels of a receiver', ['name: b', 'name: b\n    labels: { name: b, team: x }']],
    ['a recorder', ['route:\n', 'event_recorder: { file_outputs: [{ path: x }] }\nroute:\n']],
  ])('but not %s', (_, [from = '', to = '']) => {
    expect(good).toContain(from);
    expect(readAmConfigText('am.yml', good.replace(from, to)).receivers).toHaveLength(2);
  });

  test('and what is right is read', () => {
    expect(readAmConfigText('am.yml', good).receivers.map((r) => r.name)).toEqual(['a', 'b']);
  });
});

const secretive = `tracing: { endpoint: 'secret-0.example:4317' }
event_recorder: { webhook_outputs: [{ url: 'https://secret-12.example' }] }
global:
  resolve_timeout: 5m
  slack_api_url: https://hooks.example/secret-1
  smtp_from: a@b.example
  smtp_smarthost: mail.example:25
  smtp_auth_password: secret-2
  http_config: { basic_auth: { username: u, password: secret-3 } }
route:
  receiver: all
  repeat_interval: 2h
  routes: [{ matchers: [a="b"], group_wait: 1m, mute_time_intervals: [nights] }]
time_intervals:
  - name: nights
    time_intervals: [{ times: [{ start_time: '00:00', end_time: '06:00' }] }]
receivers:
  - name: all
    webhook_configs:
      - url: 'https://u:secret-4@hooks.example/'
        max_alerts: 7
        http_config: { authorization: { credentials: secret-5 } }
    pagerduty_configs: [{ service_key: secret-6, description: text, details: { own: yes } }]
    opsgenie_configs: [{ api_key: secret-7, api_url: 'https://ops.example/secret-8', priority: P1 }]
    slack_configs: [{ channel: '#a', app_token: secret-9 }]
    email_configs: [{ to: a@b.example, auth_username: u, auth_secret: secret-10 }]
    telegram_configs: [{ bot_token: secret-11, chat_id: 1 }]
`;

test('a drill has what a message says, at its time scale, and no way out nor secret', () => {
  const written = readAmConfigText('am.yml', secretive);
  const scaled = atTimeScale(written, { timeScale: 1 / 60 });
  expect(scaled.route).toMatchObject({
    group_wait: '500ms',
    group_interval: '5s',
    repeat_interval: '2m',
    routes: [{ group_wait: '1s' }],
  });
  const addresses = { http: 'http://127.0.0.1:1', smtp: '127.0.0.1:2' };
  const text = JSON.stringify(sunkConfig(scaled, 'am.yml', addresses));
  expect(text).not.toContain('secret');
  expect(text).not.toMatch(/hooks\.example|ops\.example|mail\.example/);
  for (const kept of [
    '"max_alerts":7',
    '"description":"text"',
    '"own":',
    '"priority":"P1"',
    '#a',
  ]) {
    expect(text).toContain(kept);
  }
  expect(sinksOf(written).map((s) => s.integration)).toEqual([
    'webhook',
    'pagerduty',
    'opsgenie',
    'slack',
    'email',
    'webhook',
  ]);
  const at = (time: string) =>
    atTimeScale(written, { timeScale: 1, pretendedMs: Date.parse(time) }).time_intervals?.[0];
  expect(at('2026-12-01T03:00:00Z')?.time_intervals).toEqual([
    { times: [{ start_time: '00:00', end_time: '24:00' }] },
  ]);
  expect(at('2026-12-01T12:00:00Z')?.time_intervals).toEqual([{ years: ['1970'] }]);
});
