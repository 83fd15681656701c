/** Alertmanager's configuration: the parts that decide who is notified. */
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import {
  checkYaml,
  handwrittenBytes,
  parseYaml,
  readYaml,
  type YamlDocument,
} from '../../base/yaml.js';
import { problemsOfConfig } from './config-checks.js';
import { kindOfKey } from './integrations.js';
import { problemsOfTemplates } from './templates.js';
import { truthOf } from './values.js';

export interface AmRoute {
  receiver?: string | undefined;
  group_by?: string[] | undefined;
  group_wait?: string | undefined;
  group_interval?: string | undefined;
  repeat_interval?: string | undefined;
  matchers?: string[] | undefined;
  /** Syntax before Alertmanager 0.22. */
  match?: Record<string, string> | undefined;
  match_re?: Record<string, string> | undefined;
  continue?: boolean | undefined;
  mute_time_intervals?: string[] | undefined;
  active_time_intervals?: string[] | undefined;
  /** Since 0.34; inherited by the routes below, and shown by templates as `routeLabels`. */
  labels?: Record<string, string> | undefined;
  routes?: AmRoute[] | undefined;
}

export interface AmTimeInterval {
  times?: { start_time: string; end_time: string }[] | undefined;
  weekdays?: string[] | undefined;
  days_of_month?: string[] | undefined;
  months?: string[] | undefined;
  years?: string[] | undefined;
  location?: string | undefined;
}

export interface AmInhibitRule {
  name?: string | undefined;
  source_matchers?: string[] | undefined;
  target_matchers?: string[] | undefined;
  source_match?: Record<string, string> | undefined;
  source_match_re?: Record<string, string> | undefined;
  target_match?: Record<string, string> | undefined;
  target_match_re?: Record<string, string> | undefined;
  equal?: string[] | undefined;
}

export interface AmReceiver {
  name: string;
  [kind: `${string}_configs`]: unknown[] | undefined;
}

export interface AmConfig {
  global?: Record<string, unknown> | undefined;
  route: AmRoute;
  inhibit_rules?: AmInhibitRule[] | undefined;
  time_intervals?: { name: string; time_intervals: AmTimeInterval[] }[] | undefined;
  mute_time_intervals?: { name: string; time_intervals: AmTimeInterval[] }[] | undefined;
  receivers: AmReceiver[];
  /** Destinations of Alertmanager's own traces and events. */
  tracing?: unknown;
  event_recorder?: unknown;
  /** Template files, relative to the configuration's folder. */
  templates?: string[] | undefined;
}

/** A name such as 1 is the text '1', as in Go. */
const name = z.preprocess((v) => (typeof v === 'number' ? String(v) : v), z.string());
/** Go takes any scalar for a text, and null for none. */
const scalar = z
  .union([z.string(), z.number(), z.boolean()], { error: 'expected text' })
  .nullable()
  .transform((v) => String(v ?? ''));
const texts = z.array(scalar);
const map = z.record(z.string(), scalar);
const patterns = z.record(
  z.string(),
  z
    .unknown()
    .refine((v) => v !== null, { error: 'expected a regular expression' })
    .transform(String),
);
const anything = z.record(z.string(), z.unknown());

const route: z.ZodType<AmRoute> = z.lazy(() =>
  z.strictObject({
    receiver: name.optional(),
    group_by: texts.optional(),
    group_wait: scalar.optional(),
    group_interval: scalar.optional(),
    repeat_interval: scalar.optional(),
    matchers: texts.optional(),
    match: map.optional(),
    match_re: patterns.optional(),
    continue: z.boolean().optional(),
    mute_time_intervals: texts.optional(),
    active_time_intervals: texts.optional(),
    labels: map.optional(),
    routes: z.array(route).optional(),
  }),
) as z.ZodType<AmRoute>;

const interval = z.strictObject({
  times: z.array(z.strictObject({ start_time: z.string(), end_time: z.string() })).optional(),
  weekdays: texts.optional(),
  days_of_month: texts.optional(),
  months: texts.optional(),
  years: texts.optional(),
  location: z.string().optional(),
});
const intervals = z.array(z.strictObject({ name, time_intervals: z.array(interval).default([]) }));

const inhibitRule = z.strictObject({
  name: z.string().optional(),
  source_matchers: texts.optional(),
  target_matchers: texts.optional(),
  source_match: map.optional(),
  source_match_re: patterns.optional(),
  target_match: map.optional(),
  target_match_re: patterns.optional(),
  equal: texts.optional(),
});

const receiver = z.looseObject({ name }).superRefine((value, context) => {
  for (const [key, list] of Object.entries(value)) {
    const path = [key];
    if (key === 'name') continue;
    if (key === 'labels') {
      const { name = value.name } = map.safeParse(list).data ?? { name: '' };
      if (name === value.name) continue;
      context.addIssue({
        code: 'custom',
        path,
        message: `expected texts, and as name ${value.name}`,
      });
      continue;
    }
    if (kindOfKey(key) === undefined) {
      context.addIssue({ code: 'unrecognized_keys', keys: [key], input: value });
    } else if (!z.array(anything).safeParse(list).success) {
      context.addIssue({ code: 'custom', path, message: 'expected a list of its configurations' });
    }
  }
});

/** Go ignores null; as the value of a matcher it is the empty text and not a pattern. */
function withoutNulls(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((v) => withoutNulls(v));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (key.endsWith('match')) return Object.fromEntries(entries.map(([k, v]) => [k, v ?? '']));
  const present = key.endsWith('match_re') ? entries : entries.filter(([, v]) => v !== null);
  return Object.fromEntries(present.map(([k, v]) => [k, withoutNulls(v, k)]));
}

const configSchema = z.preprocess(
  (value) => withoutNulls(value),
  z.strictObject({
    global: anything.optional(),
    route,
    inhibit_rules: z.array(inhibitRule).optional(),
    time_intervals: intervals.optional(),
    mute_time_intervals: intervals.optional(),
    receivers: z.array(receiver),
    templates: texts.optional(),
    tracing: z.unknown().optional(),
    event_recorder: z.unknown().optional(),
  }),
);

/** Reads any configuration of Alertmanager 0.25 to 0.35, and checks it as Alertmanager does. */
export const readAmConfig = (file: string): AmConfig =>
  check(file, readYaml(file, { bytesMax: handwrittenBytes }));

export const readAmConfigText = (file: string, text: string): AmConfig =>
  check(file, parseYaml(file, text));

function check(file: string, documents: YamlDocument[]): AmConfig {
  const [document, second] = documents;
  if (!document)
    throw new UserError({ message: `${inputName(file)} is empty`, expected: 'a configuration' });
  if (second) {
    throw new UserError({ place: second.placeOf([]), message: 'a second document in the file' });
  }
  refuseObject(document);
  const config = checkYaml(document.withTexts(truthOf), configSchema) as AmConfig;
  const problems = [
    ...problemsOfConfig(config, document),
    ...problemsOfTemplates(config, document),
  ];
  if (problems.length > 0) throw new UserError(problems);
  return config;
}

/** An object of Kubernetes contains a configuration, or an operator makes one of it. */
function refuseObject(document: YamlDocument): void {
  const { kind, apiVersion } = (document.value ?? {}) as Record<string, unknown>;
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') return;
  const where =
    kind === 'AlertmanagerConfig' || kind === 'Alertmanager'
      ? 'as the operator writes it into the secret alertmanager-NAME-generated'
      : 'the text that the object contains, decoded (kubectl get -o jsonpath)';
  throw new UserError({
    place: document.placeOf(['kind']),
    message: `an object of Kubernetes (${kind})`,
    expected: `an alertmanager.yml, ${where}`,
  });
}
