/** Where and when an expression is evaluated. */
import type { Labels } from '../labels.js';
import type { At, Duration, Span, VectorSelector } from '../syntax/ast.js';
import { PromqlError } from '../syntax/error.js';
import type { Store } from '../store/store.js';
import { Annotations } from './annotations.js';
import { durationMs } from './durations.js';
import type { EngineOptions } from './options.js';

/** The query as it was asked: what `start()`, `end()`, `range()` and `step()` mean. */
export interface QueryTimes {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
}

export class Context {
  readonly store: Store;
  readonly options: Required<EngineOptions>;
  readonly query: QueryTimes;
  readonly annotations: Annotations;
  /** Selectors of which only counts and sums are asked. */
  readonly statistics: ReadonlySet<VectorSelector>;
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;

  constructor(
    shared: Pick<Context, 'store' | 'options' | 'query' | 'annotations' | 'statistics'>,
    steps: { startMs: number; stepMs: number; steps: number },
  ) {
    this.store = shared.store;
    this.options = shared.options;
    this.query = shared.query;
    this.annotations = shared.annotations;
    this.statistics = shared.statistics;
    this.startMs = steps.startMs;
    this.stepMs = steps.stepMs;
    this.steps = steps.steps;
  }

  /** The same query at other steps, as a subquery or a step-invariant part needs it. */
  at(startMs: number, stepMs: number, steps: number): Context {
    return new Context(this, { startMs, stepMs, steps });
  }

  timeAt(step: number): number {
    return this.startMs + step * this.stepMs;
  }

  get endMs(): number {
    return this.timeAt(this.steps - 1);
  }

  /** Whether order matters and nothing repeats: an instant query, or one step of it. */
  get isInstant(): boolean {
    return this.steps === 1;
  }

  duration(duration: Duration): number {
    return durationMs(duration, this.query, true);
  }

  positiveDuration(duration: Duration): number {
    return durationMs(duration, this.query, false);
  }

  /** How far before its end a range begins, that instant itself left out. */
  reachOf(rangeMs: number): number {
    return this.options.closedRanges ? rangeMs + 1 : rangeMs;
  }

  /** The fixed time of an `@` modifier, or undefined where there is none. */
  fixedTime(at: At | undefined): number | undefined {
    if (!at) return undefined;
    if (at.kind === 'time') return Math.round(at.seconds * 1000);
    return at.kind === 'start' ? this.query.startMs : this.query.endMs;
  }

  /** Labels of a result that is no longer the metric it was: without its name, at once or at the end. */
  nameless(labels: Labels): Labels {
    return this.options.delayedNameRemoval ? labels : labels.withoutName();
  }

  /** A column for every series: more than the memory is to hold are refused before they are made. */
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
