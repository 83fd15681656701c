/** Evaluates a group's rules in order; each rule sees the results of those above it at the same moment. */
import type { RecordingRule } from '../../slo/index.js';
import { Labels, metricNameLabel } from '../../slo/promql/index.js';
import { type Surroundings, TemplateSample } from '../../slo/template/index.js';
import { AlertingState } from './alerting.js';
import { RuleError, type RuleSample, type RuleWorld, toldValue } from './model.js';
import type { ReadGroup, ReadRule } from './read.js';

export interface RuleFailure {
  rule: ReadRule;
  message: string;
}

interface RuleState {
  read: ReadRule;
  alerting: AlertingState | undefined;
  /** Series of the last evaluation by key; those missing in the next one have ended. */
  series: Map<string, Labels>;
}

export class GroupState {
  readonly group: ReadGroup;
  readonly #world: RuleWorld;
  readonly #rules: RuleState[];

  constructor(group: ReadGroup, world: RuleWorld) {
    this.group = group;
    this.#world = world;
    this.#rules = group.rules.map((read) => ({
      read,
      alerting:
        read.rule.kind === 'alert' ? new AlertingState(read.rule, world.externalLabels) : undefined,
      series: new Map(),
    }));
  }

  get alerting(): AlertingState[] {
    return this.#rules.map((r) => r.alerting).filter((a) => a !== undefined);
  }

  /** Evaluates every rule at `timeMs`; a failing rule does not stop the others. */
  evaluate(timeMs: number): RuleFailure[] {
    const failures: RuleFailure[] = [];
    const atMs = timeMs - (this.group.queryOffsetMs ?? 0);
    for (const state of this.#rules) {
      try {
        this.#run(state, timeMs, atMs);
      } catch (error) {
        if (!(error instanceof RuleError)) throw error;
        failures.push({ rule: state.read, message: error.message });
      }
    }
    return failures;
  }

  #run(state: RuleState, timeMs: number, atMs: number): void {
    const { rule } = state.read;
    const result = this.#world.query(rule.expr, atMs);
    const samples =
      state.alerting?.evaluate(result, timeMs, this.group.limit, this.#around(timeMs)) ??
      this.#recorded(rule as RecordingRule, result);
    const series = new Map<string, Labels>();
    for (const sample of samples) {
      this.#world.append(sample, atMs);
      series.set(sample.labels.key, sample.labels);
    }
    for (const [key, labels] of state.series) {
      if (!series.has(key)) this.#world.appendStale(labels, atMs);
    }
    state.series = series;
  }

  #recorded(rule: RecordingRule, result: readonly RuleSample[]): RuleSample[] {
    const own = Object.entries(rule.labels);
    const seen = new Set<string>();
    const samples = result.map((sample): RuleSample => {
      const entries: [string, string][] = [
        ...sample.labels.entries(),
        [metricNameLabel, rule.record],
        ...own,
      ];
      const labels = Labels.fromEntries(entries);
      if (seen.has(labels.key)) {
        throw new RuleError(
          'vector contains metrics with the same labelset after applying rule labels',
        );
      }
      seen.add(labels.key);
      return { ...sample, labels };
    });
    const { limit } = this.group;
    if (limit > 0 && samples.length > limit) {
      throw new RuleError(`exceeded limit of ${limit} with ${samples.length} series`);
    }
    return samples;
  }

  #around(timeMs: number): Surroundings {
    return {
      timeMs,
      externalUrl: this.#world.externalUrl,
      query: (expr) =>
        this.#world
          .query(expr, timeMs)
          .map((s) => new TemplateSample(s.labels.toObject(), toldValue(s))),
    };
  }
}
