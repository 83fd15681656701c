/** Further steps while a fault is active: restarts and published configuration; each is checked. */
import { messageOf } from '../../base/errors.js';
import type { CheckRecord } from '../../runbooks/record.js';
import type { Scenario } from '../scenarios/schema.js';
import type { RunContext } from './context.js';

type Step = Scenario['steps'][number];

export class Steps {
  readonly checks: CheckRecord[] = [];
  /** The last published revision. */
  revision: number | undefined;
  readonly #context: RunContext;
  readonly #scenario: Scenario;
  readonly #due: Step[];
  #running: Promise<void> = Promise.resolve();
  #open = 0;

  constructor(context: RunContext, scenario: Scenario) {
    this.#context = context;
    this.#scenario = scenario;
    this.#due = [...scenario.steps].sort((a, b) => a.at - b.at);
  }

  get done(): boolean {
    return this.#due.length === 0 && this.#open === 0;
  }

  /** Begins the steps that are due this long after the start of the fault phase, one after the other. */
  due(sinceMs: number): void {
    const { timeScale } = this.#context.timing;
    while (this.#due[0] && this.#due[0].at * timeScale <= sinceMs) {
      const step = this.#due.shift() as Step;
      this.#open++;
      this.#running = this.#running.then(async () => {
        await this.#do(step);
        this.#open--;
      });
    }
  }

  /** Waits for running steps; steps that have not begun are dropped. */
  async finish(): Promise<void> {
    this.#due.length = 0;
    await this.#running;
  }

  async #do(step: Step): Promise<void> {
    const { clock, system } = this.#context;
    const startMs = clock.nowMs();
    try {
      if (step.restart !== undefined) {
        this.#say(step.restart, 'is stopped and started again');
        await system.restart(step.restart);
        const name = step.name ?? `${step.restart} comes back`;
        const detail = `ready ${Math.round(clock.nowMs() - startMs)} ms after it was told to stop`;
        this.checks.push({ name, held: true, detail });
      } else if (step.publish) {
        this.revision = await system.publish();
        this.#say('registry', `revision ${this.revision} is published`);
      }
    } catch (error) {
      const name = step.name ?? `${step.restart ?? 'step'}`;
      this.checks.push({ name, held: false, detail: messageOf(error) });
    }
  }

  #say(subject: string, text: string): void {
    this.#context.event({
      source: 'deployment',
      subject,
      text,
      scenario: this.#scenario.id,
      major: true,
    });
  }
}
