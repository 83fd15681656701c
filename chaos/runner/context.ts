/** The context of a scenario's run: everything that touches time, the system or the measurements is passed in. */
import type { Watch } from '../../alerts/watch/index.js';
import type { Clock } from '../../base/clock.js';
import type { DrillEvent } from '../../runbooks/events.js';
import type { TimelineEvent } from '../../runbooks/record.js';
import type { RuleGroup, Slo } from '../../slo/index.js';
import type { System } from '../system/model.js';
import type { Load } from '../load/load.js';
import type { HintDesk } from './hints.js';
import type { LocalPoints } from './injection.js';
import type { Journal } from './journal.js';
import type { RunbookProof } from './runbook-proof.js';
import type { Guard } from '../guard/guard.js';
import type { Stop } from './stop-switch.js';

export interface RunContext {
  clock: Clock;
  /** Waits on that clock, and keeps the process alive; ends early when `signal` aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** The total time in which a task waited for a CPU; undefined if the kernel does not report it. */
  cpuStalledMs(): number | undefined;
  /** Prefix of the ids of the run's leases. */
  run: string;
  system: System;
  watch: Watch;
  /** The time from which the rules have data. */
  watchedSinceMs: number;
  load: Load;
  journal: Journal;
  slos: readonly Slo[];
  groups: readonly RuleGroup[];
  timing: Timing;
  /** Aborts on Ctrl-C. */
  signal: AbortSignal;
  /** The reason why the system is gone; undefined while it runs. */
  systemGone?(): string | undefined;
  /** Asked again before a scenario's first fault, and at each injection. */
  guard?: Pick<Guard, 'refusals' | 'excess'>;
  /** The kill switch; read repeatedly. */
  stopSwitch(): Stop | undefined;
  event(event: Omit<TimelineEvent, 'atMs'> & { atMs?: number }): void;
  /** Reports events as they happen, for events.jsonl and live views. */
  emit?(event: DrillEvent): void;
  /** The current activity, for a terminal. */
  progress(text: string): void;
  /** A permanent line on the terminal. */
  line?(text: string): void;
  /** Injection points within this process. */
  local: LocalPoints;
  /** Where the team asks for hints; absent: hints come only by their times. */
  hints?: HintDesk;
  /** Proves the scenario's runbook; absent unless the user asked for the proof. */
  proof?: RunbookProof;
  /** Called before faults are rolled back; it must be harmless while faults are active. */
  beforeRollback?(): Promise<void>;
}

export interface Timing {
  timeScale: number;
  /** Nominal length of a step of the rules, in milliseconds. */
  stepMs: number;
  scrapeIntervalMs: number;
  /** Real evaluation interval of the paging rules, in milliseconds. */
  evaluationIntervalMs: number;
  allowanceMs: number;
}
