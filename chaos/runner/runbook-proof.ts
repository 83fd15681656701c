/**
 * Proves a runbook by its incident: each question of its Diagnosis is asked before the fault and under the fault, and
 * the commands of its Mitigation run instead of the drill's own undo. The page is proved if answers differ, and if the
 * symptom ends while the fault's leases are still renewed.
 */
import { messageOf } from '../../base/errors.js';
import type { Firing, RunbookProofRecord } from '../../runbooks/record.js';
import { type Answer, differs, linesOf, seriesOf } from './answers.js';
import { wakes } from '../../runbooks/pager.js';
import type { Scenario } from '../scenarios/schema.js';
import { fulfils, receivedMs } from './firings.js';
import type { Injection } from './injection.js';

export interface PageSteps {
  page: string;
  queries: readonly string[];
  /** Commands of the Diagnosis, for sh; commands with a placeholder are left out and counted. */
  commands: readonly string[];
  mitigation: readonly string[];
  /** Commands that only a person can complete. */
  open: readonly string[];
}

export interface ProofParts {
  steps: PageSteps;
  query(expr: string): Promise<{ labels: Readonly<Record<string, string>>; value: number }[]>;
  /** Runs a command with sh, with limits on its time and output; the signal ends it early. */
  run(command: string, signal: AbortSignal): Promise<{ code: number | string; output: string }>;
  nowMs(): number;
}

interface Question {
  asked: string;
  answers: Answer[];
  why?: string;
}

export class RunbookProof {
  readonly #parts: ProofParts;
  readonly #questions: Question[];
  readonly #mitigation: RunbookProofRecord['mitigation'] = { steps: [] };
  #startedMs: number | undefined;

  constructor(parts: ProofParts) {
    this.#parts = parts;
    const { queries, commands } = parts.steps;
    this.#questions = [...queries, ...commands].map((asked) => ({ asked, answers: [] }));
  }

  get hasMitigation(): boolean {
    return this.#parts.steps.mitigation.length > 0;
  }

  /** One round of questions; the first two rounds run before the fault, the third under the fault. */
  async ask(signal: AbortSignal): Promise<void> {
    const { steps, query, run, nowMs } = this.#parts;
    for (const question of this.#questions) {
      if (signal.aborted) return;
      try {
        const values = steps.queries.includes(question.asked)
          ? seriesOf(await query(question.asked))
          : await run(question.asked, signal).then(({ code, output }) => linesOf(output, code));
        question.answers.push({ atMs: nowMs(), values });
      } catch (error) {
        question.why ??= messageOf(error);
      }
    }
  }

  /** Runs the page's own commands in order. Faults that the commands end are not set again. */
  async mitigate(
    injections: readonly Injection[],
    spoken: (command: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    for (const injection of injections) injection.leaveToPage();
    this.#startedMs = this.#parts.nowMs();
    for (const command of this.#parts.steps.mitigation) {
      if (signal.aborted) return;
      spoken(command);
      const { code, output } = await this.#parts.run(command, signal);
      const said = output.trim().split('\n').at(-1)?.slice(0, 200);
      this.#mitigation.steps.push({ command, code, ...(said && { said }) });
    }
  }

  /** Records that the symptom is over. */
  ended(): void {
    if (this.#startedMs === undefined) return;
    this.#mitigation.endedAfterMs ??= this.#parts.nowMs() - this.#startedMs;
  }

  /**
   * Leaves out alerts that the page's own commands caused: the scenario's rules are not at fault for them. This
   * includes an alert that had to be inhibited, and was notified after the page had ended the inhibiting alert.
   */
  withoutItsOwn(firings: readonly Firing[], { expect }: Scenario): Firing[] {
    const fromMs = this.#startedMs ?? Infinity;
    const own = firings.filter((f) => {
      const wanted = expect.mustFire.filter((one) => fulfils(f, one));
      if (wanted.length === 0) return f.firedAtMs >= fromMs && wakes(f.severity);
      return wanted.some((w) => w.inhibitedBy !== undefined && receivedMs(f, w.receiver) >= fromMs);
    });
    const names = [...new Set(own.map((f) => f.name))];
    if (names.length > 0) this.#mitigation.pages = names;
    return firings.filter((f) => !own.includes(f));
  }

  /** Records the reason why the mitigation was not tried. */
  notTried(why: string): void {
    this.#mitigation.why = why;
  }

  get record(): RunbookProofRecord {
    const { page, open } = this.#parts.steps;
    return {
      page,
      diagnosis: this.#questions.map(({ asked, answers, why }) => {
        const [first, second, under] = answers;
        return {
          asked,
          differs: first && second && under ? differs(first, second, under) : false,
          ...(why !== undefined && { why }),
        };
      }),
      mitigation: this.#mitigation,
      ...(open.length > 0 && { open: [...open] }),
    };
  }
}
