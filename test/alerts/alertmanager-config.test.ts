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
];

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
