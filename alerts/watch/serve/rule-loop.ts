/** Evaluates rule groups at their intervals as Prometheus does, and keeps the result of each evaluation. */
import type { Clock, Timer } from '../../../base/clock.js';
import { QueryEngine } from '../../rules/engine.js';
import { GroupState } from '../../rules/group.js';
import type { RuleWorld } from '../../rules/model.js';
import type { ReadGroup, ReadRule } from '../../rules/read.js';
import type { MemoryStore } from '../../../slo/promql/index.js';

export interface Evaluated {
  state: GroupState;
  intervalMs: number;
  /** Time of the last evaluation; undefined before the first. */
  lastMs: number | undefined;
  tookSeconds: number;
  /** Errors of rules that failed at the last evaluation. */
  errors: Map<ReadRule, string>;
  /** Number of intervals without an evaluation because the previous one took too long. */
  missed: number;
}

export interface RuleLoopOptions {
  clock: Clock;
  store: MemoryStore;
  groups: readonly ReadGroup[];
  /** Interval of groups that set none, in milliseconds. */
  evaluationIntervalMs: number;
  externalLabels: Readonly<Record<string, string>>;
  externalUrl: string;
  /** Called after each evaluation with its time. */
  evaluated: (group: Evaluated, timeMs: number) => void;
  say: (line: string) => void;
}

/** Maximum number of messages about failing rules. */
const saidMax = 1000;

export class RuleLoop {
  readonly groups: Evaluated[];
  readonly #options: RuleLoopOptions;
  readonly #timers = new Map<Evaluated, Timer>();
  readonly #said = new Set<string>();

  constructor(options: RuleLoopOptions) {
    this.#options = options;
    const { store, evaluationIntervalMs, externalLabels, externalUrl } = options;
    const engine = new QueryEngine(store, { subqueryStepMs: evaluationIntervalMs });
    const world: RuleWorld = {
      query: (expr, timeMs) => engine.instant(expr, timeMs),
      append: ({ labels, value, histogram }, timeMs) =>
        void store.append(labels, timeMs, histogram ?? value),
      appendStale: (labels, timeMs) => void store.appendStale(labels, timeMs),
      externalLabels,
      externalUrl,
    };
    this.groups = options.groups.map((group) => ({
      state: new GroupState(group, world),
      intervalMs: group.intervalMs ?? evaluationIntervalMs,
      lastMs: undefined,
      tookSeconds: 0,
      errors: new Map(),
      missed: 0,
    }));
  }

  /** Spreads the groups over their interval. An evaluation has the time of its slot, however late it is. */
  start(): void {
    const nowMs = this.#options.clock.nowMs();
    this.groups.forEach((group, i) => {
      const turnMs = Math.floor((group.intervalMs * (i + 1)) / (this.groups.length + 1));
      const first = Math.floor(nowMs / group.intervalMs) * group.intervalMs + turnMs;
      this.#schedule(group, first >= nowMs ? first : first + group.intervalMs);
    });
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #schedule(group: Evaluated, dueMs: number): void {
    const { clock } = this.#options;
    const timer = clock.after(Math.max(0, dueMs - clock.nowMs()), () => {
      // A timer may fire slightly early; if it is later than an interval, the slots in between are lost.
      const late = Math.max(0, Math.floor((clock.nowMs() - dueMs) / group.intervalMs));
      group.missed += late;
      const timeMs = dueMs + late * group.intervalMs;
      this.#run(group, timeMs);
      this.#schedule(group, timeMs + group.intervalMs);
    });
    this.#timers.set(group, timer);
  }

  #run(group: Evaluated, timeMs: number): void {
    const { clock, evaluated, say } = this.#options;
    const beganMs = clock.monotonicMs();
    const failures = group.state.evaluate(timeMs);
    group.tookSeconds = (clock.monotonicMs() - beganMs) / 1000;
    group.lastMs = timeMs;
    group.errors = new Map(failures.map((f) => [f.rule, f.message]));
    for (const { rule, message } of failures) {
      const name = rule.rule.kind === 'alert' ? rule.rule.alert : rule.rule.record;
      const text = `${group.state.group.name}: ${name}: ${message}`;
      if (this.#said.has(text) || this.#said.size >= saidMax) continue;
      this.#said.add(text);
      say(text);
    }
    evaluated(group, timeMs);
  }
}
