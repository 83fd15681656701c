/**
 * Reads Prometheus's rule files and Kubernetes' PrometheusRule objects as strictly as Prometheus does, and fields that
 * the rulers of Mimir and Thanos add.
 */
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { type Place, type Problem, UserError } from '../../base/errors.js';
import { checkYaml, type Path, parseYaml, readYaml, type YamlDocument } from '../../base/yaml.js';
import { orNone, text, texts, wholeOf } from './go-values.js';
import { type AlertingRule, listFiles, type Rule, type RuleGroup } from '../../slo/index.js';
import { namingVmalert } from './dialects.js';
import { parseAlertTemplate, TemplateError } from '../../slo/template/index.js';

export interface ReadRule {
  rule: Rule;
  place: Place;
  /** The place in the file of an offset in the rule's expression. */
  placeInExpr: (offset: number) => Place;
}

export interface ReadGroup {
  file: string;
  name: string;
  intervalMs?: number;
  queryOffsetMs?: number;
  /** Maximum number of alerts or series before the rule fails; 0 means no limit. */
  limit: number;
  rules: ReadRule[];
  place: Place;
}

export interface ReadOptions {
  /** Checks an expression: returns the mistake and its offset. */
  checkExpr?: (expr: string) => { message: string; offset: number } | undefined;
}

/** Prometheus stores durations as nanoseconds in 63 bits. */
const longestMs = Math.floor(2 ** 63 / 1e6);

const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== undefined, {
    message: 'not a duration; expected such as 30s, 5m or 1h30m',
  })
  .refine((text) => (parseDurationMs(text) ?? 0) <= longestMs, {
    message: 'duration out of range; expected at most 292y',
  })
  .transform((text) => parseDurationMs(text) as number);

const ruleSchema = z.strictObject({
  record: orNone(z.string()),
  alert: orNone(z.string()),
  expr: orNone(z.string()),
  for: orNone(duration),
  keep_firing_for: orNone(duration),
  labels: orNone(texts),
  annotations: orNone(texts),
});

const fileSchema = z.strictObject({
  namespace: orNone(z.string()),
  groups: orNone(
    z.array(
      z.strictObject({
        name: text,
        interval: orNone(duration),
        query_offset: orNone(duration),
        limit: orNone(
          z
            .string()
            .transform(wholeOf)
            .refine((n) => !Number.isNaN(n), 'not a whole number')
            .refine((n) => !(Math.abs(n) > 2 ** 63), 'expected at most 9223372036854775807'),
        ),
        labels: orNone(texts),
        partial_response_strategy: orNone(
          z.string().regex(/^(warn|abort)$/i, 'expected warn or abort'),
        ),
        source_tenants: orNone(z.array(z.string())),
        evaluation_delay: orNone(duration),
        align_evaluation_time_on_interval: orNone(z.string()),
        rules: orNone(z.array(ruleSchema)),
      }),
    ),
  ),
});

const objectSchema = z.strictObject({
  apiVersion: z.string().regex(/^monitoring\.coreos\.com\//, 'expected monitoring.coreos.com/v1'),
  kind: z.string(),
  metadata: z.unknown().optional(),
  spec: fileSchema,
  status: z.unknown().optional(),
});

type RawRule = z.output<typeof ruleSchema>;

/** The groups of rule files; a folder stands for all YAML files below it. */
export const readRuleFiles = (paths: readonly string[], options: ReadOptions = {}): ReadGroup[] =>
  listFiles(paths).flatMap((file) => readRuleFile(file, options));

export function readRuleFile(file: string, options: ReadOptions = {}): ReadGroup[] {
  return groupsOf(file, readYaml(file, { texts: true }), options);
}

export function readRuleText(file: string, text: string, options: ReadOptions = {}): ReadGroup[] {
  return groupsOf(file, parseYaml(file, text, { texts: true }), options);
}

/** The groups of parsed YAML documents whose scalars are texts. */
export function groupsOf(
  file: string,
  documents: readonly YamlDocument[],
  options: ReadOptions = {},
): ReadGroup[] {
  const objects = documents.flatMap((document) => document.parts);
  // The output of `helm template` and `kubectl get` has other objects beside the rules.
  const rules = objects.filter(isRules);
  if (rules.length > 0 && objects.every((object) => isRules(object) || isOther(object))) {
    return rules.flatMap((document) =>
      groupsIn(document, ['spec'], check(document, objectSchema).spec, file, options),
    );
  }
  const other = rules.length === 0 ? objects.find(isOther) : undefined;
  if (other) {
    throw new UserError({
      place: other.placeOf(['kind']),
      message: 'an object of Kubernetes without rules',
      expected: 'a PrometheusRule',
    });
  }
  const [first, second] = documents;
  if (!first) return [];
  if (second) {
    throw new UserError({
      place: second.placeOf([]),
      message: 'a second document in a rule file',
      expected: 'one document with groups',
    });
  }
  return groupsIn(first, [], check(first, fileSchema), file, options);
}

const check = <S extends z.ZodType>(document: YamlDocument, schema: S): z.output<S> =>
  namingVmalert(() => checkYaml(document, schema));

const kindOf = ({ value }: YamlDocument): unknown =>
  typeof value === 'object' && value !== null && 'apiVersion' in value && 'kind' in value
    ? value.kind
    : undefined;

/** Whether the document is a PrometheusRule of Kubernetes, whose `spec` is a rule file. */
const isRules = (document: YamlDocument): boolean => kindOf(document) === 'PrometheusRule';

/** Whether the document is any other object of Kubernetes. */
export const isOther = (document: YamlDocument): boolean =>
  kindOf(document) !== undefined && !isRules(document);

function groupsIn(
  document: YamlDocument,
  root: Path,
  value: z.output<typeof fileSchema>,
  file: string,
  options: ReadOptions,
): ReadGroup[] {
  const problems: Problem[] = [];
  const names = new Set<string>();
  const groups = (value.groups ?? []).map((group, i): ReadGroup => {
    const own: Path = [...root, 'groups', i];
    const place = document.placeOf([...own, 'name']);
    const offset = group.query_offset ?? group.evaluation_delay;
    if (group.name === '') problems.push({ place, message: 'the group has no name' });
    if (names.has(group.name)) {
      problems.push({ place, message: `groupname: "${group.name}" is repeated in the same file` });
    }
    names.add(group.name);
    if (group.limit !== undefined && !document.isPlain([...own, 'limit'])) {
      const at = document.placeOf([...own, 'limit']);
      problems.push({ place: at, message: 'limit is a text', expected: 'a number without quotes' });
    }
    for (const name of Object.keys(group.labels ?? {})) {
      if (isName(name) && name !== '__name__') continue;
      const at = document.placeOfKey([...own, 'labels', name]);
      problems.push({ place: at, message: `invalid label name: ${name}` });
    }
    return {
      file,
      name: group.name,
      ...(group.interval === undefined ? {} : { intervalMs: group.interval }),
      ...(offset === undefined ? {} : { queryOffsetMs: offset }),
      // Prometheus takes a negative limit as no limit, like 0.
      limit: Math.max(0, group.limit ?? 0),
      rules: (group.rules ?? []).map((raw, j) => {
        const path = [...own, 'rules', j];
        problems.push(...problemsOfRule(document, path, raw, options));
        return {
          rule: ruleOf(raw, group.labels ?? {}),
          place: document.placeOf(path),
          placeInExpr: (offset) => document.placeWithin([...path, 'expr'], offset),
        };
      }),
      place,
    };
  });
  if (problems.length > 0) throw new UserError(problems);
  return groups;
}

function ruleOf(raw: RawRule, groupLabels: Record<string, string>): Rule {
  const expr = raw.expr ?? '';
  const labels = { ...groupLabels, ...raw.labels };
  if (raw.record !== undefined && raw.record !== '') {
    return { kind: 'record', record: raw.record, expr, labels };
  }
  const alert: AlertingRule = {
    kind: 'alert',
    alert: raw.alert ?? '',
    expr,
    forMs: raw.for ?? 0,
    keepFiringForMs: raw.keep_firing_for ?? 0,
    labels,
    annotations: raw.annotations ?? {},
  };
  return alert;
}

/**
 * Since Prometheus 3 any UTF-8 text is a name, such as OpenTelemetry's `service.name`; a lone surrogate is not UTF-8.
 */
const isName = (text: string): boolean => text !== '' && !/\p{Surrogate}/u.test(text);

function problemsOfRule(
  document: YamlDocument,
  path: Path,
  raw: RawRule,
  options: ReadOptions,
): Problem[] {
  const problems: Problem[] = [];
  const say = (field: string, message: string, expected?: string): void => {
    const place =
      field === '' ? document.placeOf(path) : document.placeOfKey([...path, ...field.split('\0')]);
    problems.push({ place, message, ...(expected === undefined ? {} : { expected }) });
  };
  const [record, alert] = [raw.record ?? '', raw.alert ?? ''];
  if (record !== '' && alert !== '') say('alert', "only one of 'record' and 'alert' must be set");
  if (record === '' && alert === '') say('', "one of 'record' or 'alert' must be set");
  if ((raw.expr ?? '') === '') {
    say('', "field 'expr' must be set in rule");
  } else {
    const problem = options.checkExpr?.(raw.expr as string);
    if (problem) {
      const place = document.placeWithin([...path, 'expr'], problem.offset);
      problems.push({ place, message: problem.message });
    }
  }
  if (record !== '') {
    if (Object.keys(raw.annotations ?? {}).length > 0)
      say('annotations', "invalid field 'annotations' in recording rule");
    if (raw.for) say('for', "invalid field 'for' in recording rule");
    if (raw.keep_firing_for) {
      say('keep_firing_for', "invalid field 'keep_firing_for' in recording rule");
    }
    if (!isName(record)) say('record', `invalid recording rule name: ${record}`);
    // Braces mean that somebody pasted a selector; Prometheus refuses them, although they would make a valid name.
    if (/[{}]/.test(record)) {
      say('record', `braces present in the recording rule name: ${record}`, 'a name; is it expr?');
    }
  }
  for (const name of Object.keys(raw.labels ?? {})) {
    if (!isName(name) || name === '__name__') {
      say(`labels\0${name}`, `invalid label name: ${name}`);
    }
  }
  for (const name of Object.keys(raw.annotations ?? {})) {
    if (!isName(name)) say(`annotations\0${name}`, `invalid annotation name: ${name}`);
  }
  if (alert === '') return problems;
  for (const field of ['labels', 'annotations'] as const) {
    for (const [name, text] of Object.entries(raw[field] ?? {})) {
      if (!text.includes('{{')) continue;
      try {
        parseAlertTemplate(text);
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        const place = document.placeWithin([...path, field, name], error.offset);
        problems.push({ place, message: `template of ${name}: ${error.message}` });
      }
    }
  }
  return problems;
}

/** The groups as plain values, without places. */
export const plainGroups = (groups: readonly ReadGroup[]): RuleGroup[] =>
  groups.map((group) => ({
    name: group.name,
    ...(group.intervalMs === undefined ? {} : { intervalMs: group.intervalMs }),
    ...(group.queryOffsetMs === undefined ? {} : { queryOffsetMs: group.queryOffsetMs }),
    ...(group.limit === 0 ? {} : { limit: group.limit }),
    rules: group.rules.map((r) => r.rule),
  }));

/** Rules made in this process, in the form of rules that were read. */
export const asRead = (groups: readonly RuleGroup[], file: string): ReadGroup[] =>
  groups.map((group) => ({
    ...group,
    file,
    limit: group.limit ?? 0,
    place: { file, line: 1, column: 1 },
    rules: group.rules.map((rule) => {
      const place = { file, line: 1, column: 1 };
      return { rule, place, placeInExpr: () => place };
    }),
  }));
