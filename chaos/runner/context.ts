/** What a scenario is run with: all that touches time, the system and the measuring side is handed in. */
import type { Watch } from '../../alerts/watch/index.js';
import type { Clock } from '../../base/clock.js';
import type { DrillEvent } from '../../runbooks/events.js';
import type { TimelineEvent } from '../../runbooks/record.js';
import type { RuleGroup, Slo } from '../../slo/index.js';
import type { System } from '../system/model.js';
import type { Load } from '../load/load.js';
import type { LocalPoints } from './injection.js';
import type { Journal } from './journal.js';
import type { RunbookProof } from './runbook-proof.js';
import type { Guard } from '../guard/guard.js';
import type { Stop } from './stop-switch.js';

export interface RunContext {
  clock: Clock;
  /** Starts the ids of its leases. */
  run: string;
  system: System;
  watch: Watch;
  /** Since when the rules have had data. */
  watchedSinceMs: number;
  load: Load;
  journal: Journal;
  slos: readonly Slo[];
  groups: readonly RuleGroup[];
  timing: Timing;
  /** Aborts on Ctrl-C. */
  signal: AbortSignal;
  /** Why there is no system any more; undefined while there is. */
  systemGone?(): string | undefined;
  /** Asked once more before a scenario breaks anything, and at each injection. */
  guard?: Pick<Guard, 'refusals' | 'excess'>;
  /** The kill switch, looked at again and again. */
  stopSwitch(): Stop | undefined;
  event(event: Omit<TimelineEvent, 'atMs'> & { atMs?: number }): void;
  /** What happens, as it happens: for events.jsonl and whoever looks on. */
  emit?(event: DrillEvent): void;
  /** What is going on now, for a terminal. */
  progress(text: string): void;
  /** A line that stays on the terminal. */
  line?(text: string): void;
  /** Injection points within this process. */
  local: LocalPoints;
  /** Holds the scenario's runbook against it; absent where nobody asked for that. */
  proof?: RunbookProof;
  /** Called before faults are rolled back; what it does must be harmless while they are on. */
  beforeRollback?(): Promise<void>;
}

export interface Timing {
  timeScale: number;
  /** Nominal length of a step of the rules. */
  stepMs: number;
  scrapeIntervalMs: number;
  /** Real, of the rules that page. */
  evaluationIntervalMs: number;
  allowanceMs: number;
}
