/** Reads files of `promtool test rules` as strictly as promtool; each mistake has its place. */

import { dirname, isAbsolute, join } from 'node:path';
import * as z from 'zod';
import { parseDurationMs } from '../../../base/duration.js';
import { inputName } from '../../../base/input.js';
import { type Place, UserError } from '../../../base/errors.js';
import { checkYaml, readYaml, type YamlDocument } from '../../../base/yaml.js';
import { orNone, text, texts } from '../../rules/go-values.js';
import { numberOf } from '../../watch/exposition.js';
import { glob } from '../../../base/glob.js';
import { readTimeMs } from '../../../base/time-text.js';

export interface InputSeries {
  series: string;
  values: string;
  place: Place;
  valuesPlace: Place;
}

export interface ExpectedAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface AlertCase {
  evalTimeMs: number;
  alertname: string;
  expected: ExpectedAlert[];
  place: Place;
}

export interface ExpectedSample {
  labels: string;
  value: number;
  /** If not empty, the value is a native histogram in the notation of input series. */
  histogram: string;
}

export interface ExprCase {
  expr: string;
  evalTimeMs: number;
  expected: ExpectedSample[];
  place: Place;
}

export interface TestGroup {
  name: string;
  /** Whether the file gives the group a name. */
  named: boolean;
  intervalMs: number;
  startMs: number;
  input: InputSeries[];
  alerts: AlertCase[];
  exprs: ExprCase[];
  externalLabels: Record<string, string>;
  externalUrl: string;
  place: Place;
}

export interface UnitFile {
  file: string;
  ruleFiles: string[];
  /** Patterns that match no file. */
  unmatched: string[];
  evaluationIntervalMs: number;
  groupOrder: string[];
  fuzzy: boolean;
  tests: TestGroup[];
}

const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== undefined, {
    message: 'not a duration; expected such as 30s, 5m or 1h30m',
  })
  .transform((text) => parseDurationMs(text) as number);

const list = <T extends z.ZodType>(item: T) => orNone(z.array(item));

const number = z
  .string()
  .refine((text) => floatOf(text) !== undefined, { message: 'not a number' })
  .transform((text) => floatOf(text) as number);

function floatOf(text: string): number | undefined {
  // YAML's spellings; Go reads `+Inf` as a text.
  if (/^\.nan$/i.test(text)) return NaN;
  if (/^[-+]?\.inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  const value = numberOf(text);
  return Number.isFinite(value) ? value : undefined;
}

const time = z
  .string()
  .refine((text) => timeOf(text) !== undefined, {
    message: 'not a time; expected RFC 3339 or seconds since 1970',
  })
  .transform((text) => timeOf(text) as number);

function timeOf(text: string): number | undefined {
  const seconds = numberOf(text);
  const ms = seconds === undefined ? readTimeMs(text) : Math.round(seconds * 1000);
  return Number.isNaN(ms) ? undefined : ms;
}

const bool = z.enum(['true', 'false']).transform((text) => text === 'true');

const schemas = (strict: boolean) => {
  const object = <S extends z.ZodRawShape>(shape: S) =>
    strict ? z.strictObject(shape) : z.object(shape);
  return object({
    rule_files: list(text),
    evaluation_interval: orNone(duration),
    group_eval_order: list(text),
    fuzzy_compare: orNone(bool),
    tests: list(
      object({
        name: orNone(z.string()),
        interval: orNone(duration),
        start_timestamp: orNone(time),
        external_labels: orNone(texts),
        external_url: orNone(z.string()),
        // A series without values has no samples, as in promtool.
        input_series: list(object({ series: text, values: text.optional().default('') })),
        alert_rule_test: list(
          object({
            eval_time: orNone(duration),
            alertname: orNone(z.string()),
            exp_alerts: list(object({ exp_labels: orNone(texts), exp_annotations: orNone(texts) })),
          }),
        ),
        promql_expr_test: list(
          object({
            expr: text,
            eval_time: orNone(duration),
            exp_samples: list(
              object({
                labels: orNone(z.string()),
                value: orNone(number),
                histogram: orNone(z.string()),
              }),
            ),
          }),
        ),
      }),
    ),
  });
};

const [strictSchema, looseSchema] = [schemas(true), schemas(false)];

export function readUnitFile(file: string, ignoreUnknownFields = false): UnitFile {
  const document = readYaml(file, { texts: true })[0];
  if (!document) throw new UserError({ message: `${inputName(file)} is empty`, expected: 'tests' });
  const value = checkYaml(document, ignoreUnknownFields ? looseSchema : strictSchema);
  const evaluationIntervalMs = value.evaluation_interval || 60_000;
  const order = value.group_eval_order ?? [];
  const repeated = order.findIndex((name, i) => order.indexOf(name) < i);
  if (repeated >= 0) {
    throw new UserError({
      place: document.placeOf(['group_eval_order', repeated]),
      message: `group name repeated in evaluation order: ${order[repeated] as string}`,
    });
  }
  const rules = (value.rule_files ?? []).map((pattern) => filesOf(file, pattern));
  return {
    file,
    ruleFiles: [...new Set(rules.flatMap((r) => r.files))],
    unmatched: rules.filter((r) => r.files.length === 0).map((r) => r.pattern),
    evaluationIntervalMs,
    groupOrder: order,
    fuzzy: value.fuzzy_compare ?? false,
    tests: (value.tests ?? []).map((test, i) =>
      groupOf(document, ['tests', i], test, evaluationIntervalMs),
    ),
  };
}

function filesOf(file: string, pattern: string): { pattern: string; files: string[] } {
  const full = isAbsolute(pattern) ? pattern : join(dirname(file), pattern);
  return { pattern: full, files: glob(full) };
}

type RawGroup = NonNullable<z.output<typeof strictSchema>['tests']>[number];

function groupOf(
  document: YamlDocument,
  path: [string, number],
  raw: RawGroup,
  evaluationIntervalMs: number,
): TestGroup {
  const name = raw.name ?? '';
  return {
    name: name === '' ? `unnamed#${path[1]}` : name,
    named: name !== '',
    intervalMs: raw.interval || evaluationIntervalMs,
    startMs: raw.start_timestamp ?? 0,
    input: (raw.input_series ?? []).map((series, j) => ({
      ...series,
      place: document.placeOf([...path, 'input_series', j, 'series']),
      valuesPlace: document.placeOf([...path, 'input_series', j, 'values']),
    })),
    alerts: (raw.alert_rule_test ?? []).map((test, j) => {
      const place = document.placeOf([...path, 'alert_rule_test', j]);
      if (!test.alertname) {
        throw new UserError({
          place,
          message: 'an item under alert_rule_test misses required attribute alertname',
        });
      }
      return {
        evalTimeMs: test.eval_time ?? 0,
        alertname: test.alertname,
        expected: (test.exp_alerts ?? []).map((alert) => ({
          labels: alert.exp_labels ?? {},
          annotations: alert.exp_annotations ?? {},
        })),
        place,
      };
    }),
    exprs: (raw.promql_expr_test ?? []).map((test, j) => ({
      expr: test.expr,
      evalTimeMs: test.eval_time ?? 0,
      expected: (test.exp_samples ?? []).map((sample) => ({
        labels: sample.labels ?? '',
        value: sample.value ?? 0,
        histogram: sample.histogram ?? '',
      })),
      place: document.placeOf([...path, 'promql_expr_test', j]),
    })),
    externalLabels: raw.external_labels ?? {},
    externalUrl: raw.external_url ?? '',
    place: document.placeOf(path),
  };
}
