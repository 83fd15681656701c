/** The store, times and options with which an expression is evaluated. */
import type { Labels } from '../labels.js';
import type { At, Duration, Expr, Span, VectorSelector } from '../syntax/ast.js';
import { PromqlError } from '../syntax/error.js';
import type { Store } from '../store/store.js';
import { Annotations } from './annotations.js';
import { durationMs } from './durations.js';
import type { EngineOptions } from './options.js';
import type { Value } from './value.js';

/** The times of the whole query, for `start()`, `end()`, `range()` and `step()`. */
export interface QueryTimes {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
}

export class Context {
  readonly evaluator: (expr: Expr, ctx: Context) => Value;
  readonly store: Store;
  readonly options: Required<EngineOptions>;
  readonly query: QueryTimes;
  readonly annotations: Annotations;
  /** Selectors whose histograms are only asked for count and sum. */
  readonly statistics: ReadonlySet<VectorSelector>;
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;

  constructor(
    shared: Pick<
      Context,
      'evaluator' | 'store' | 'options' | 'query' | 'annotations' | 'statistics'
    >,
    steps: { startMs: number; stepMs: number; steps: number },
  ) {
    this.evaluator = shared.evaluator;
    this.store = shared.store;
    this.options = shared.options;
    this.query = shared.query;
    this.annotations = shared.annotations;
    this.statistics = shared.statistics;
    this.startMs = steps.startMs;
    this.stepMs = steps.stepMs;
    this.steps = steps.steps;
  }

  /** The value of an expression at these steps. */
  evaluate(expr: Expr): Value {
    return this.evaluator(expr, this);
  }

  /** The same query with other steps, as a subquery or a step-invariant part needs it. */
  at(startMs: number, stepMs: number, steps: number): Context {
    return new Context(this, { startMs, stepMs, steps });
  }

  timeAt(step: number): number {
    return this.startMs + step * this.stepMs;
  }

  get endMs(): number {
    return this.timeAt(this.steps - 1);
  }

  /** Whether the query has a single step, so that the order of its result matters. */
  get isInstant(): boolean {
    return this.steps === 1;
  }

  duration(duration: Duration): number {
    return durationMs(duration, this.query, true);
  }

  positiveDuration(duration: Duration): number {
    return durationMs(duration, this.query, false);
  }

  /** How far a range reaches back from its end, in milliseconds; the instant at its start is excluded. */
  reachOf(rangeMs: number): number {
    return this.options.closedRanges ? rangeMs + 1 : rangeMs;
  }

  /** The fixed time of an `@` modifier; undefined if there is none. */
  fixedTime(at: At | undefined): number | undefined {
    if (!at) return undefined;
    if (at.kind === 'time') return Math.round(at.seconds * 1000);
    return at.kind === 'start' ? this.query.startMs : this.query.endMs;
  }

  /** The labels of a result without the metric's name; with delayed name removal the name goes at the end. */
  nameless(labels: Labels): Labels {
    return this.options.delayedNameRemoval ? labels : labels.withoutName();
  }

  /** Each series has a column, so too many series are refused before memory is allocated. */
  refuseTooMany(series: number, span: Span): void {
    if (series * this.steps <= this.options.samplesMax) return;
    this.fail(
      `${series} series at ${this.steps} steps are more than ${this.options.samplesMax} samples`,
      span,
    );
  }

  fail(message: string, span: Span): never {
    throw new PromqlError(message, span);
  }
}
