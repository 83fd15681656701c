/** The data of a weekly, monthly or quarterly review: the behaviour of alerts, the silences, and the drills. */
import type { GameDayResult } from '../report/result.js';

export type Routine = 'weekly' | 'monthly' | 'quarterly';

export const routineDays: Record<Routine, number> = { weekly: 7, monthly: 30, quarterly: 90 };

/** One alert by name and severity over the period. */
export interface AlertHistory {
  name: string;
  severity: string;
  service: string;
  /** The start and end of each firing. */
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
  /** Absent if no Prometheus was asked. */
  alerts?: AlertHistory[];
  /** Days of the period in which the Prometheus scraped anything; absent if that was not asked. */
  daysSeen?: number;
  /** Silences active at the time of the report, or ended within the period. Absent if no Alertmanager was asked. */
  silences?: Silence[];
  /** Newest last. Absent if no folder was given. */
  gameDays?: GameDayResult[];
  /** The report on error budgets of slo/budget, Markdown without its title; absent if no SLO was given. */
  budgets?: string;
}
