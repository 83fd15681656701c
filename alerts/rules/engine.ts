/** Queries for rules: parses each expression once, and turns its mistakes into a RuleError. */
import {
  type EngineOptions,
  evaluateInstant,
  evaluateRange,
  type Expr,
  Labels,
  lineColumn,
  parse,
  PromqlError,
  type Store,
} from '../../slo/promql/index.js';
import { type FeatureUse, featuresOf } from '../../slo/promql/syntax/features.js';
import { RuleError, type RuleSample } from './model.js';

const parsedMax = 20_000;

export class QueryEngine {
  readonly #store: Store;
  readonly #options: EngineOptions;
  readonly #parsed = new Map<string, Expr>();

  constructor(store: Store, options: EngineOptions = {}) {
    this.#store = store;
    this.#options = options;
  }

  /** A scalar result becomes one sample without labels, as rules need it. */
  instant(text: string, timeMs: number): RuleSample[] {
    return guarded(text, () => {
      const { value } = evaluateInstant(this.#expr(text), this.#store, timeMs, this.#options);
      if (value.type === 'vector') return [...value.samples];
      if (value.type === 'scalar') return [{ labels: Labels.empty, value: value.value }];
      throw new RuleError('rule result is not a vector or scalar');
    });
  }

  range(
    text: string,
    startMs: number,
    endMs: number,
    stepMs: number,
  ): { labels: Record<string, string>; points: [number, number][] }[] {
    return guarded(text, () => {
      const expr = this.#expr(text);
      const { series } = evaluateRange(expr, this.#store, startMs, endMs, stepMs, this.#options);
      return series.map(({ labels, times, values }) => ({
        labels: labels.toObject(),
        points: Array.from(times, (time, i): [number, number] => [time, values[i] as number]),
      }));
    });
  }

  #expr(text: string): Expr {
    let expr = this.#parsed.get(text);
    if (!expr) {
      expr = parse(text);
      if (this.#parsed.size >= parsedMax) this.#parsed.clear();
      this.#parsed.set(text, expr);
    }
    return expr;
  }
}

/**
 * The mistake in an expression and its offset; undefined if there is none. With `enabled`, parts that need another
 * feature of Prometheus 3.16 are mistakes, as they are for it.
 */
export function checkExpr(
  text: string,
  enabled?: readonly string[],
): { message: string; offset: number } | undefined {
  try {
    const expr = parse(text);
    const isOff = (u: FeatureUse) => u.since === undefined && !enabled?.includes(u.feature);
    const use = enabled && featuresOf(expr).find(isOff);
    if (!use) return undefined;
    const message = `${use.word} is not enabled; it takes --enable-feature ${use.feature}`;
    return { message, offset: use.from };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    const hint = error.suggestion === undefined ? '' : `; did you mean '${error.suggestion}'?`;
    return { message: error.message + hint, offset: error.from };
  }
}

function guarded<T>(text: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    const { line, column } = lineColumn(text, error.from);
    throw new RuleError(`${error.message} (${line}:${column})`);
  }
}
