/** Finds mistakes for which Alertmanager would refuse a well-formed configuration, each with its place. */
import { parseDurationMs } from '../../base/duration.js';
import { type Problem, UserError } from '../../base/errors.js';
import type { Path, YamlDocument } from '../../base/yaml.js';
import type { AmConfig, AmReceiver, AmRoute } from './config.js';
import { globalFields, integrationsOf, kindNamed } from './integrations.js';
import { matchersOf } from './matchers.js';
import { checkInterval } from './time-intervals.js';
import { problemsOfValues, type Say } from './values.js';

export function problemsOfConfig(config: AmConfig, document: YamlDocument): Problem[] {
  const problems: Problem[] = [];
  const say: Say = (path, message, expected) => {
    const place = document.placeOf(path);
    problems.push({ place, message, ...(expected === undefined ? {} : { expected }) });
  };
  const receivers = config.receivers.map((r) => r.name);
  receivers.forEach((name, i) => {
    const path = ['receivers', i, 'name'];
    if (name === '') say(path, 'the receiver has no name');
    if (receivers.indexOf(name) !== i) say(path, `the receiver '${name}' appears twice`);
  });
  problemsOfGlobal(config.global ?? {}, say);
  config.receivers.forEach((r, i) => problemsOfReceiver(config, r, ['receivers', i], say));
  const known = { receivers, intervals: problemsOfIntervals(config, say) };
  const { route } = config;
  if (route.receiver === undefined) say(['route'], 'the first route has no receiver');
  for (const field of rootOnly) {
    const value = route[field];
    if (value === undefined || value === false) continue;
    if (typeof value === 'object' && Object.keys(value).length === 0) continue;
    say(['route', field], `the first route takes every alert: it must have no ${field}`);
  }
  problemsOfRoute(route, ['route'], known, say);
  (config.inhibit_rules ?? []).forEach((rule, i) => {
    const path = ['inhibit_rules', i];
    for (const side of ['source', 'target'] as const) {
      const [list, equal, regex] = [
        `${side}_matchers`,
        `${side}_match`,
        `${side}_match_re`,
      ] as const;
      checkMatchers(rule[list], rule[equal], rule[regex], path, [list, equal, regex], say);
    }
    (rule.equal ?? []).forEach((label, j) => {
      if (!isLabel(label)) say([...path, 'equal', j], `not a label: '${label}'`);
    });
  });
  return problems;
}

/** Any text in UTF-8, as in Prometheus 3. */
const isLabel = (text: string): boolean => text !== '' && !/\p{Surrogate}/u.test(text);

const rootOnly = [
  'matchers',
  'match',
  'match_re',
  'continue',
  'mute_time_intervals',
  'active_time_intervals',
] as const;

interface Known {
  receivers: readonly string[];
  intervals: readonly string[];
}

function problemsOfRoute(route: AmRoute, path: Path, known: Known, say: Say): void {
  const listed = (names: readonly string[]): string => names.slice(0, 20).join(', ') || 'none';
  if (route.receiver !== undefined && !known.receivers.includes(route.receiver)) {
    const message = `there is no receiver '${route.receiver}'`;
    say([...path, 'receiver'], message, listed(known.receivers));
  }
  for (const field of ['mute_time_intervals', 'active_time_intervals'] as const) {
    (route[field] ?? []).forEach((name, i) => {
      if (known.intervals.includes(name)) return;
      say([...path, field, i], `there is no time interval '${name}'`, listed(known.intervals));
    });
  }
  for (const field of ['group_wait', 'group_interval', 'repeat_interval'] as const) {
    const text = route[field];
    if (text === undefined) continue;
    const ms = parseDurationMs(text);
    if (ms === undefined) say([...path, field], `not a duration: ${text}`, 'such as 30s or 4h');
    else if (ms === 0 && field !== 'group_wait') say([...path, field], `${field} cannot be zero`);
  }
  const by = route.group_by ?? [];
  by.forEach((label, i) => {
    const at = [...path, 'group_by', i];
    if (label === '...') {
      if (by.length > 1) say(at, "'...' means every label and must be alone");
    } else if (!isLabel(label)) say(at, `not a label: '${label}'`);
    else if (by.indexOf(label) !== i) say(at, `the label '${label}' appears twice`);
  });
  const fields = ['matchers', 'match', 'match_re'] as const;
  checkMatchers(route.matchers, route.match, route.match_re, path, fields, say);
  (route.routes ?? []).forEach((r, i) => problemsOfRoute(r, [...path, 'routes', i], known, say));
}

function checkMatchers(
  list: readonly string[] | undefined,
  equal: Readonly<Record<string, string>> | undefined,
  regex: Readonly<Record<string, string>> | undefined,
  path: Path,
  [listField, equalField, regexField]: readonly [string, string, string],
  say: Say,
): void {
  (list ?? []).forEach((text, i) => {
    attempt([...path, listField, i], say, () => matchersOf([text], undefined, undefined));
  });
  for (const [field, map] of [
    [equalField, equal],
    [regexField, regex],
  ] as const) {
    for (const name of Object.keys(map ?? {})) {
      if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) continue;
      say([...path, field, name], `not a label: '${name}'`, 'matchers for such a name');
    }
  }
  for (const [name, value] of Object.entries(equal ?? {})) {
    attempt([...path, equalField, name], say, () =>
      matchersOf(undefined, { [name]: value }, undefined),
    );
  }
  for (const [name, value] of Object.entries(regex ?? {})) {
    attempt([...path, regexField, name], say, () =>
      matchersOf(undefined, undefined, { [name]: value }),
    );
  }
}

/** The names of the defined time intervals. */
function problemsOfIntervals(config: AmConfig, say: Say): string[] {
  const names: string[] = [];
  for (const field of ['time_intervals', 'mute_time_intervals'] as const) {
    (config[field] ?? []).forEach(({ name, time_intervals }, i) => {
      const path = [field, i];
      if (names.includes(name)) say([...path, 'name'], `the interval '${name}' appears twice`);
      names.push(name);
      time_intervals.forEach((t, j) => {
        for (const [at, check] of checkInterval(t)) {
          attempt([...path, 'time_intervals', j, ...at], say, check);
        }
      });
    });
  }
  return names;
}

function problemsOfReceiver(config: AmConfig, receiver: AmReceiver, path: Path, say: Say): void {
  for (const { kind, index, fields } of integrationsOf(receiver)) {
    const found = kindNamed(kind);
    if (!found) continue;
    const at = [...path, `${kind}_configs`, index];
    const { message, way, needs, globalPrefix } = found;
    const known: readonly string[] = ['send_resolved', ...message, ...way];
    for (const field of Object.keys(fields)) {
      if (!known.includes(field))
        say([...at, field], `unknown field '${field}' in ${kind}_configs`);
    }
    // In an email integration, both may be written, and one overrides the other.
    if (kind !== 'email') onlyOne(fields, at, say);
    if (kind === 'slack') {
      oneWayToSlack(fields, '', at, say);
      if (fields.update_message === true && fields.api_url !== chatPostMessage) {
        say(
          [...at, 'update_message'],
          'update_message without a bot',
          `api_url: ${chatPostMessage}`,
        );
      }
    }
    problemsOfValues(kind, fields, at, say);
    for (const list of needs) {
      const fromGlobal = list.map((field) => `${globalPrefix}${field}`);
      const written =
        list.some((f) => fields[f] !== undefined) ||
        fromGlobal.some((f) => config.global?.[f] !== undefined);
      if (!written) say(at, `${kind} of '${receiver.name}' has no ${list.join(', ')}`);
    }
  }
}

/** A secret is written either directly or as the name of a file. */
function onlyOne(fields: Readonly<Record<string, unknown>>, path: Path, say: Say): void {
  for (const field of Object.keys(fields)) {
    const inFile = `${field}_file`;
    if (fields[field] === undefined || fields[inFile] === undefined) continue;
    say([...path, inFile], `${inFile} beside ${field}`, 'at most one of the two');
  }
}

/** The API for Slack apps, the only one that can change a message afterwards. */
const chatPostMessage = 'https://slack.com/api/chat.postMessage';

/** Slack is reached by a webhook or as an app; in `global` the app's API address may stand beside its token. */
function oneWayToSlack(
  fields: Readonly<Record<string, unknown>>,
  prefix: '' | 'slack_',
  path: Path,
  say: Say,
): void {
  const written = (names: readonly string[]): string | undefined =>
    names.map((name) => `${prefix}${name}`).find((name) => fields[name] !== undefined);
  const url = written(['api_url', 'api_url_file']);
  const token = written(['app_token', 'app_token_file']);
  if (url === undefined || token === undefined) return;
  if (prefix !== '' && fields[url] === chatPostMessage) return;
  say([...path, token], `${token} beside ${url}`, 'at most one of the two');
}

function problemsOfGlobal(global: Readonly<Record<string, unknown>>, say: Say): void {
  for (const field of Object.keys(global)) {
    if (!globalFields.includes(field)) say(['global', field], `unknown field '${field}' in global`);
  }
  onlyOne(global, ['global'], say);
  problemsOfValues('', global, ['global'], say);
  oneWayToSlack(global, 'slack_', ['global'], say);
}

function attempt(path: Path, say: Say, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const [problem] = error.problems;
    if (problem) say(path, problem.message, problem.expected);
  }
}
