/** Runs a test script: every eval passes, fails with a reason, or is not supported. */
import { type Annotation, annotationText } from '../engine/annotations.js';
import type { EngineOptions } from '../engine/options.js';
import { evaluateInstant, evaluateRange, type InstantResult } from '../engine/query.js';
import { MemoryStore } from '../store/store.js';
import type { Expr } from '../syntax/ast.js';
import { parse } from '../syntax/parse.js';
import { compareInstant, compareSeries } from './compare.js';
import type { Expectation } from './expectation.js';
import { load } from './load.js';
import { type Command, type EvalCommand, parseScript } from './script.js';
import { variantsOf } from './variants.js';

export interface Outcome {
  readonly line: number;
  readonly query: string;
  readonly status: 'passed' | 'failed' | 'unsupported';
  readonly reason?: string;
}

/** The options that the language's test scripts assume. */
const scriptOptions: EngineOptions = {
  delayedNameRemoval: true,
  startTimestamps: true,
};

export function runScript(text: string, options: EngineOptions = scriptOptions): Outcome[] {
  return runCommands(parseScript(text), options);
}

function runCommands(commands: readonly Command[], options: EngineOptions): Outcome[] {
  const store = new MemoryStore();
  const outcomes: Outcome[] = [];
  for (const command of commands) {
    if (command.kind === 'clear') store.clear();
    else if (command.kind === 'load') load(command, store);
    else if (command.kind === 'unsupported') {
      outcomes.push({
        line: command.line,
        query: '',
        status: 'unsupported',
        reason: command.reason,
      });
    } else {
      const reason = runEval(command, store, options);
      outcomes.push({
        line: command.line,
        query: command.query,
        status: reason === undefined ? 'passed' : 'failed',
        ...(reason === undefined ? {} : { reason }),
      });
    }
  }
  return outcomes;
}

/** Undefined if everything is as expected. */
function runEval(
  command: EvalCommand,
  store: MemoryStore,
  options: EngineOptions,
): string | undefined {
  const failure = command.expectations.find((e) => e.kind === 'fail');
  try {
    const expr = parse(command.query, { unquotedNames: true });
    const { at } = command;
    if (at.kind === 'range') {
      const { series, annotations } = evaluateRange(
        expr,
        store,
        at.startMs,
        at.endMs,
        at.stepMs,
        options,
      );
      if (failure) return 'expected a failure, got a result';
      return (
        checkAnnotations(command, command.query, annotations) ??
        compareSeries(command, series, undefined)
      );
    }
    return runInstant(command, expr, at.timeMs, store, options, failure);
  } catch (error) {
    const message = (error as Error).message;
    if (!failure) return message;
    if (!failure.matches || failure.matches(message)) return undefined;
    return `expected a failure like '${failure.pattern ?? ''}', got '${message}'`;
  }
}

/** With every selector fixed to its time, an instant query must have the same result at any other time. */
function runInstant(
  command: EvalCommand,
  expr: Expr,
  timeMs: number,
  store: MemoryStore,
  options: EngineOptions,
  failure: Expectation | undefined,
): string | undefined {
  const at = command.rangeVector?.endMs ?? timeMs;
  for (const variant of variantsOf(expr, command.query, at)) {
    const result = evaluateInstant(variant.expr, store, variant.timeMs, options);
    if (failure) return 'expected a failure, got a result';
    const wrong =
      checkAnnotations(command, variant.query, result.annotations) ??
      compareInstant(command, result.value) ??
      checkAsRange(command, variant, result, store, options);
    if (wrong)
      return variant.query === command.query
        ? wrong
        : `${wrong} (as ${variant.query} at ${variant.timeMs} ms)`;
  }
  return undefined;
}

/** Each step of a range query must have the result of an instant query at that time. */
function checkAsRange(
  command: EvalCommand,
  variant: { expr: Expr; query: string; timeMs: number },
  result: InstantResult,
  store: MemoryStore,
  options: EngineOptions,
): string | undefined {
  const { type } = result.value;
  if (type === 'matrix' || type === 'string' || command.rangeVector) return undefined;
  if (/\b(start|end|range|step)\(\)/.test(variant.query)) return undefined;
  if (command.expectations.some((e) => e.kind === 'ordered')) return undefined;
  const { timeMs } = variant;
  const range = evaluateRange(
    variant.expr,
    store,
    timeMs - 60_000,
    timeMs + 60_000,
    60_000,
    options,
  );
  const samples = range.series.flatMap((s) => {
    const i = s.times.indexOf(timeMs);
    if (i < 0) return [];
    const histogram = s.histograms?.[i];
    return [
      {
        labels: s.labels,
        timeMs,
        value: s.values[i] as number,
        ...(histogram ? { histogram } : {}),
      },
    ];
  });
  const value =
    type === 'scalar'
      ? { type, timeMs, value: samples[0]?.value ?? NaN }
      : { type: 'vector' as const, samples };
  const wrong = compareInstant(command, value);
  return wrong && `${wrong} (as a step of a range query)`;
}

function checkAnnotations(
  command: EvalCommand,
  query: string,
  annotations: readonly Annotation[],
): string | undefined {
  for (const [severity, kind] of [
    ['warning', 'warn'],
    ['info', 'info'],
  ] as const) {
    const texts = annotations
      .filter((a) => a.severity === severity)
      .map((a) => annotationText(a, query));
    const wanted = command.expectations.filter((e) => e.kind === kind);
    const wrong = checkTexts(severity, texts, wanted);
    if (wrong) return wrong;
    if (texts.length > 0 && command.expectations.some((e) => e.kind === `no_${kind}`)) {
      return `expected no ${severity}, got '${texts[0]}'`;
    }
  }
  return undefined;
}

function checkTexts(
  severity: string,
  texts: readonly string[],
  wanted: readonly Expectation[],
): string | undefined {
  if (wanted.length === 0) return undefined;
  if (texts.length === 0) return `expected a ${severity}, got none`;
  const matches = (e: Expectation, text: string): boolean => !e.matches || e.matches(text);
  const unmet = wanted.find((e) => !texts.some((text) => matches(e, text)));
  if (unmet)
    return `expected a ${severity} like '${unmet.pattern ?? ''}', got '${texts.join("', '")}'`;
  if (!wanted.every((e) => e.strict)) return undefined;
  const surplus = texts.find((text) => !wanted.some((e) => matches(e, text)));
  return surplus && `unexpected ${severity} '${surplus}'`;
}
