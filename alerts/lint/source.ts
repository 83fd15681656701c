/** A rule file for lint: every rule with its parsed expression and the place of every character. */
import { parseDurationMs } from '../../base/duration.js';
import { type Place, type Problem, UserError } from '../../base/errors.js';
import { inputName, readInput } from '../../base/input.js';
import { parseYaml, type Path, type YamlDocument } from '../../base/yaml.js';
import { type Expr, parse, PromqlError } from '../../slo/promql/index.js';
import { dialectFields } from '../rules/dialects.js';
import { groupsOf, isOther } from '../rules/read.js';

export interface LintRule {
  kind: 'alert' | 'record';
  name: string;
  text: string;
  /** The parsed expression; undefined where it does not parse. */
  expr: Expr | undefined;
  syntaxError: PromqlError | undefined;
  for: string | undefined;
  keepFiringFor: string | undefined;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Milliseconds between two evaluations, where the group sets an interval. */
  intervalMs: number | undefined;
  file: LintFile;
  document: YamlDocument;
  path: Path;
  firstLine: number;
  lastLine: number;
}

export interface LintFile {
  file: string;
  text: string;
  rules: LintRule[];
  /** Mistakes for which Prometheus would refuse the file. */
  problems: readonly Problem[];
  /** Fields of other rulers. */
  dialect: { place: Place; field: string; program: string }[];
}

export function readLintFile(file: string): LintFile {
  return readLintText(inputName(file), readInput(file));
}

export function readLintText(file: string, text: string): LintFile {
  const result: LintFile = { file, text, rules: [], problems: [], dialect: [] };
  let documents: YamlDocument[];
  try {
    documents = parseYaml(file, text, { texts: true });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...result, problems: error.problems };
  }
  const objects = documents.flatMap((document) => document.parts);
  for (const document of objects) {
    const value = record(document.value);
    const inSpec = value.spec !== undefined && value.groups === undefined;
    for (const { path, ...found } of dialectFields(document, inSpec ? ['spec'] : [])) {
      result.dialect.push({ place: document.placeOfKey(path), ...found });
    }
    const base: Path = inSpec ? ['spec', 'groups'] : ['groups'];
    const groups = inSpec ? record(value.spec).groups : value.groups;
    list(groups).forEach((group, i) => {
      const { rules, interval, labels } = record(group);
      list(rules).forEach((rule, j) => {
        const path = [...base, i, 'rules', j];
        result.rules.push(ruleOf(result, document, path, record(rule), record(labels), interval));
      });
    });
  }
  bound(result);
  // Objects of other kinds, such as VMRule, have fields of their own.
  return {
    ...result,
    problems: problemsOf(
      file,
      objects.filter((o) => !isOther(o)),
    ),
  };
}

/** Mistakes for which Prometheus would refuse the file, except those in templates. */
function problemsOf(file: string, documents: readonly YamlDocument[]): readonly Problem[] {
  try {
    groupsOf(file, documents);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.problems.filter((p) => !p.message.startsWith('template of '));
  }
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const texts = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(record(value)).filter((e): e is [string, string] => typeof e[1] === 'string'),
  );
const textOrNone = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function ruleOf(
  file: LintFile,
  document: YamlDocument,
  path: Path,
  raw: Record<string, unknown>,
  groupLabels: Record<string, unknown>,
  interval: unknown,
): LintRule {
  const isAlert = textOrNone(raw.alert) !== undefined;
  const text = textOrNone(raw.expr) ?? '';
  const parsed = text === '' ? {} : tryParse(text);
  return {
    kind: isAlert ? 'alert' : 'record',
    name: textOrNone(raw.alert) ?? textOrNone(raw.record) ?? '',
    text,
    expr: parsed.expr,
    syntaxError: parsed.error,
    for: textOrNone(raw.for),
    keepFiringFor: textOrNone(raw.keep_firing_for),
    labels: { ...texts(groupLabels), ...texts(raw.labels) },
    annotations: texts(raw.annotations),
    intervalMs: typeof interval === 'string' ? parseDurationMs(interval) : undefined,
    file,
    document,
    path,
    firstLine: document.placeOf(path).line,
    lastLine: 0,
  };
}

function tryParse(text: string): { expr?: Expr; error?: PromqlError } {
  try {
    return { expr: parse(text) };
  } catch (error) {
    if (error instanceof PromqlError) return { error };
    throw error;
  }
}

/** Sets the last line of each rule: the line before the next rule. */
function bound(file: LintFile): void {
  const lines = file.text.split('\n').length;
  file.rules.forEach((rule, i) => {
    rule.lastLine = (file.rules[i + 1]?.firstLine ?? lines + 1) - 1;
  });
}

/** The place in the file of an offset in the expression. */
export const placeInExpr = (rule: LintRule, offset: number): Place =>
  rule.document.placeWithin([...rule.path, 'expr'], offset);

/** The place of a field, or of the rule where it lacks the field. */
export function placeOfField(rule: LintRule, ...field: string[]): Place {
  let value: unknown = rule.document.value;
  for (const step of [...rule.path, ...field]) value = record2(value)[step];
  return value === undefined
    ? rule.document.placeOf(rule.path)
    : rule.document.placeOfKey([...rule.path, ...field]);
}

const record2 = (value: unknown): Record<string | number, unknown> =>
  (typeof value === 'object' && value !== null ? value : {}) as Record<string | number, unknown>;

/** The offset in the file's text of a place. */
export function offsetOf(file: LintFile, place: Place): number {
  let offset = 0;
  for (let line = 1; line < place.line; line++) offset = file.text.indexOf('\n', offset) + 1;
  return offset + place.column - 1;
}

/**
 * The characters of the file that hold `from` to `to` of the expression; undefined where YAML escapes or folds them.
 */
export function spanInFile(
  rule: LintRule,
  from: number,
  to: number,
): { from: number; to: number } | undefined {
  const start = offsetOf(rule.file, placeInExpr(rule, from));
  const length = to - from;
  const same = rule.file.text.slice(start, start + length) === rule.text.slice(from, to);
  return same && length > 0 ? { from: start, to: start + length } : undefined;
}
