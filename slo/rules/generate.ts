/** Generates rule files from paths; all input is read and compiled before the first file is written. */
import { basename } from 'node:path';
import { parseDurationMs } from '../../base/duration.js';
import { type Problem, UserError } from '../../base/errors.js';
import { labelsSchema, templateProblem } from '../spec/fields.js';
import { groupProblems } from '../spec/groups.js';
import type { Period, Slo } from '../spec/model.js';
import { readSlos } from '../spec/read.js';
import { compileSlos } from './compile.js';
import { counterSeen, reservedLabels } from './names.js';
import type { Rule } from './model.js';
import { coarseStepMs, type CompileOptions } from './plan.js';
import { type OutputFormat, outputFiles, outputFormats } from './outputs.js';
import { isOneFile, writeAll } from './write-files.js';

export interface GenerateOptions {
  inputs: readonly string[];
  /** A file, a folder, or `-` for standard output. */
  out: string;
  format: OutputFormat;
  compile: CompileOptions;
  period?: Period;
  namespace: string;
  /** Labels added to every rule; labels that the rules set themselves are refused. */
  labels?: Record<string, string>;
  queryOffsetMs?: number;
}

export function generate(options: GenerateOptions): {
  slos: number;
  rules: number;
  files: string[];
  /** Problems of inputs that are valid but not supported here; everything else was written. */
  refused: readonly Problem[];
} {
  if (!outputFormats.includes(options.format)) {
    throw new UserError({
      message: `--format ${options.format}`,
      expected: outputFormats.join(', '),
    });
  }
  const refused: Problem[] = [];
  const { windows } = options.compile;
  const slos = readSlos(options.inputs, {
    ...(options.period ? { period: options.period } : {}),
    ...(windows ? { windows } : {}),
    refused: (problems) => refused.push(...problems),
  });
  const problems = groupProblems(slos, Object.keys(options.labels ?? {}));
  if (problems.length > 0) throw new UserError(problems);
  const single = isOneFile(options.out);
  if (single && options.format === 'kustomize') {
    const message = `--format kustomize --out ${options.out}`;
    throw new UserError({ message, expected: 'a folder, which kubectl apply -k reads' });
  }
  const parts = single ? [{ name: nameOfOne(options.out, slos), slos }] : byService(slos);
  const compiled = parts.map(({ name, slos }) => ({
    name,
    groups: compileSlos(slos, options.compile).map((group) => ({
      ...group,
      ...(options.queryOffsetMs === undefined ? {} : { queryOffsetMs: options.queryOffsetMs }),
      rules: group.rules.map((rule) => ({
        ...rule,
        labels: isCounters(rule) ? rule.labels : { ...options.labels, ...rule.labels },
      })),
    })),
  }));
  const files = outputFiles(compiled, options.format, options.namespace);
  writeAll(options.out, single, files);
  const groups = compiled.flatMap((part) => part.groups);
  return {
    slos: slos.length,
    rules: groups.reduce((sum, g) => sum + g.rules.length, 0),
    files: [...files.keys()],
    refused,
  };
}

/** The rule of raw series, which may have a label of the same name that distinguishes them. */
const isCounters = (rule: Rule): boolean => rule.kind === 'record' && rule.record === counterSeen;

/** The name of the object in a single file; objects with equal names in one namespace would replace each other. */
function nameOfOne(out: string, slos: readonly Slo[]): string {
  if (out !== '-') return basename(out).replace(/\.ya?ml$/, '');
  const services = new Set(slos.map((s) => s.service));
  return services.size === 1 ? [...services].join() : 'slo-rules';
}

function byService(slos: readonly Slo[]): { name: string; slos: Slo[] }[] {
  const services = new Map<string, Slo[]>();
  for (const slo of slos) {
    const list = services.get(slo.service);
    if (list) list.push(slo);
    else services.set(slo.service, [slo]);
  }
  return [...services.keys()].sort().map((name) => ({ name, slos: services.get(name) as Slo[] }));
}

/** Reads `cluster=eu-1`; names that the rules set themselves are refused. */
export function parseLabels(texts: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const text of texts) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    if (!labelsSchema.safeParse({ [name]: value }).success || value === '' || name === '') {
      throw new UserError({
        message: `--label ${text}`,
        expected: `name=value, and no name that the rules set (${reservedLabels.join(', ')})`,
      });
    }
    labels[name] = value;
  }
  return labels;
}

/** Refuses an address that would be a bad template in the rules. */
export function checkLinks(flags: {
  runbookUrl?: string;
  runbookBase?: string;
  dashboardUrl?: string;
}): void {
  for (const flag of ['runbookUrl', 'runbookBase', 'dashboardUrl'] as const) {
    const message = templateProblem(flags[flag]?.replaceAll(/\{\{(alert|slo|service)\}\}/g, ''));
    if (message === undefined) continue;
    const name = flag.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`);
    const expected = '{{alert}}, {{slo}}, {{service}}, or a template of Prometheus';
    throw new UserError({ message: `--${name}: ${message}`, expected });
  }
}

export function parseQueryOffset(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms <= 3_600_000) return ms;
  throw new UserError({ message: `--query-offset ${text}`, expected: 'a duration up to 1h' });
}

/** Reads `1/120` or `0.01`: above 0, at most 1. */
export function parseTimeScale(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:\/(\d+(?:\.\d+)?))?$/.exec(text);
  const scale = match ? Number(match[1]) / Number(match[2] ?? 1) : Number.NaN;
  if (scale > 0 && scale <= 1) return scale;
  throw new UserError({
    message: `--time-scale ${text}`,
    expected: 'a ratio such as 1/120, above 0 and at most 1',
  });
}

/** Reads a base step, which must divide every window. */
export function parseStep(text: string): number {
  const ms = parseDurationMs(text) ?? 0;
  if (ms >= 1000 && coarseStepMs % ms === 0 && 300_000 % ms === 0) return ms;
  throw new UserError({
    message: `--step ${text}`,
    expected: 'a duration that divides 1 minute, such as 10s, 15s, 30s or 1m',
  });
}
