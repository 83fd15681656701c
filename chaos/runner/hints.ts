/** The hints of a scenario for the team under drill: each is given when its time comes, or when somebody asks. */
import type { HintRecord } from '../../runbooks/hint-record.js';
import { hintText } from '../../runbooks/words.js';
import type { Scenario } from '../scenarios/schema.js';
import type { ScenarioRun } from './run-scenario.js';

/** The place where the team asks, and is told. */
export interface HintDesk {
  /** The roles that have asked since the last call. */
  asked(nowMs: number): string[];
  tell(text: string): void;
}

export interface HintOptions {
  hints: Scenario['hints'];
  desk: HintDesk | undefined;
  /** Converts a nominal duration to real milliseconds. */
  real(nominalMs: number): number;
  /** Called with each hint that is given. */
  onGiven(hint: HintRecord): void;
}

const lookEveryMs = 200;

export class Hints {
  readonly given: HintRecord[] = [];
  readonly #options: HintOptions;
  readonly #left: Scenario['hints'];
  #lookedMs = -Infinity;

  constructor(options: HintOptions) {
    this.#options = options;
    this.#left = [...options.hints];
  }

  /** Gives what is due or asked for; does nothing before the injection. */
  look(nowMs: number, injectedMs: number | undefined): void {
    if (injectedMs === undefined || nowMs - this.#lookedMs < lookEveryMs) return;
    this.#lookedMs = nowMs;
    const { desk, real } = this.#options;
    const afterMs = nowMs - injectedMs;
    for (const by of desk?.asked(nowMs) ?? []) {
      const hint = this.#left.shift();
      if (hint) this.#give({ atMs: nowMs, afterMs, text: hint.text, by });
      desk?.tell(hint?.text ?? `no hint is left (${this.given.length} were given)`);
    }
    for (;;) {
      const i = this.#left.findIndex(({ after = Infinity }) => real(after) <= afterMs);
      const [hint] = i < 0 ? [] : this.#left.splice(i, 1);
      if (!hint) return;
      this.#give({ atMs: nowMs, afterMs, text: hint.text });
    }
  }

  #give(hint: HintRecord): void {
    this.given.push(hint);
    this.#options.onGiven(hint);
  }
}

/** Hints of a run are lines of its terminal and events of its timeline. */
export function hintsOf(run: ScenarioRun): Hints {
  const { context, scenario } = run;
  return new Hints({
    hints: scenario.hints,
    desk: context.hints,
    real: (nominalMs) => run.real(nominalMs),
    onGiven: (hint) => {
      run.say('hint', hintText(hint));
      context.line?.(`hint ${hintText(hint)}`);
    },
  });
}
