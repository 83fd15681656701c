/** What a weekly, monthly or quarterly review looks at: how alerts behaved, what is silenced, which drills ran. */
import type { GameDayResult } from '../report/result.js';

export type Routine = 'weekly' | 'monthly' | 'quarterly';

export const routineDays: Record<Routine, number> = { weekly: 7, monthly: 30, quarterly: 90 };

/** One alert by name and severity over the period. */
export interface AlertHistory {
  name: string;
  severity: string;
  service: string;
  /** When it began to fire, and for how long. */
  firings: { startMs: number; endMs: number }[];
}

export interface Silence {
  matchers: string;
  by: string;
  comment: string;
  startMs: number;
  endMs: number;
}

export interface RoutineFacts {
  routine: Routine;
  atMs: number;
  /** Absent: no Prometheus was asked. */
  alerts?: AlertHistory[];
  /** Absent: no Alertmanager was asked. In force at the time of the report, or ended within the period. */
  silences?: Silence[];
  /** Absent: no folder was given. Newest last. */
  gameDays?: GameDayResult[];
  /** The report on budgets of slo/budget, Markdown without its title; absent where no SLO was given. */
  budgets?: string;
}
