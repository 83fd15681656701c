/** Runs the backtest of one SLO; a worker thread runs this for each job. */
import type { Slo } from '../../../slo/index.js';
import { type CompileOptions, planOf } from '../../../slo/rules/plan.js';
import { type Firing, History, type Schedule } from './evaluate.js';
import { type StepEvents, stepsOf } from './events.js';
import type { Incident, Story } from './incidents.js';
import { plotOf, type Plot } from './plot-data.js';
import { type Score, scoreOf } from './score.js';
import { synthesize } from './synthesize.js';
import { tune, type Tuning } from './tune.js';

/** Source of the events: a synthetic story, or measurement. */
export type Material =
  { kind: 'story'; story: Story } | { kind: 'measured'; events: StepEvents; incidents: Incident[] };

export interface Job {
  slo: Slo;
  /** Labels of the group, for an SLO with one group for each of their values. */
  labels: Record<string, string>;
  material: Material;
  stepMs: number;
  compile: CompileOptions;
  schedule: Schedule;
  /** Number of columns in the plot; 0 for no plot. */
  plotColumns: number;
  tune: boolean;
}

export interface SloResult {
  slo: string;
  alert: string;
  objective: number;
  labels: Record<string, string>;
  startMs: number;
  endMs: number;
  stepMs: number;
  /** Number of steps without a recorded value. */
  missing: number;
  firings: Firing[];
  score: Score;
  plot?: Plot;
  tuning?: Tuning;
}

export function runJob(job: Job): SloResult {
  const { slo, material, stepMs } = job;
  const plan = planOf(slo, { ...job.compile, stepMs });
  const events =
    material.kind === 'story'
      ? stepsOf(synthesize(material.story, plan.budget, slo.id, stepMs))
      : material.events;
  const incidents = material.kind === 'story' ? material.story.incidents : material.incidents;
  const history = new History(plan, events, job.schedule);
  const firings = history.firings();
  let missing = 0;
  for (const value of events.total) if (Number.isNaN(value)) missing++;
  return {
    slo: slo.id,
    alert: slo.alerting.name,
    objective: slo.objective,
    labels: job.labels,
    startMs: events.startMs,
    endMs: events.startMs + events.total.length * events.stepMs,
    stepMs: events.stepMs,
    missing,
    firings,
    score: scoreOf(plan, events, firings, incidents),
    ...(job.tune ? { tuning: tune(history, incidents) } : {}),
    ...(job.plotColumns > 0 ? { plot: plotOf(history, events, job.plotColumns) } : {}),
  };
}
