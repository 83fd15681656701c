/** Alertmanager's configuration: the part of it that decides who is told, as we write and read it. */
import { z } from 'zod';
import { checkYaml, readYaml } from '../../base/yaml.js';
import { UserError } from '../../base/errors.js';

export interface AmRoute {
  receiver?: string | undefined;
  group_by?: string[] | undefined;
  group_wait?: string | undefined;
  group_interval?: string | undefined;
  repeat_interval?: string | undefined;
  matchers?: string[] | undefined;
  /** Before Alertmanager 0.22. */
  match?: Record<string, string> | undefined;
  match_re?: Record<string, string> | undefined;
  continue?: boolean | undefined;
  mute_time_intervals?: string[] | undefined;
  active_time_intervals?: string[] | undefined;
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
}

const texts = z.array(z.coerce.string());
const map = z.record(z.string(), z.coerce.string());

const route: z.ZodType<AmRoute> = z.lazy(() =>
  z.looseObject({
    receiver: z.string().optional(),
    group_by: texts.optional(),
    group_wait: z.string().optional(),
    group_interval: z.string().optional(),
    repeat_interval: z.string().optional(),
    matchers: texts.optional(),
    match: map.optional(),
    match_re: map.optional(),
    continue: z.boolean().optional(),
    mute_time_intervals: texts.optional(),
    active_time_intervals: texts.optional(),
    routes: z.array(route).optional(),
  }),
) as z.ZodType<AmRoute>;

const interval = z.looseObject({
  times: z.array(z.object({ start_time: z.string(), end_time: z.string() })).optional(),
  weekdays: texts.optional(),
  days_of_month: texts.optional(),
  months: texts.optional(),
  years: texts.optional(),
  location: z.string().optional(),
});
const intervals = z.array(z.object({ name: z.string(), time_intervals: z.array(interval) }));

const configSchema = z.looseObject({
  route,
  inhibit_rules: z
    .array(
      z.looseObject({
        source_matchers: texts.optional(),
        target_matchers: texts.optional(),
        source_match: map.optional(),
        source_match_re: map.optional(),
        target_match: map.optional(),
        target_match_re: map.optional(),
        equal: texts.optional(),
      }),
    )
    .optional(),
  time_intervals: intervals.optional(),
  mute_time_intervals: intervals.optional(),
  receivers: z.array(z.looseObject({ name: z.string() })),
});

/** Any configuration of Alertmanager, ours or not: what routing needs of it. */
export function readAmConfig(file: string): AmConfig {
  const [document] = readYaml(file);
  if (!document) throw new UserError({ message: `${file} is empty`, expected: 'a configuration' });
  return checkYaml(document, configSchema) as AmConfig;
}
