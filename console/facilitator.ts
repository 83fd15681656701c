/** The facilitator's views: a game day's plan, its comparison with the last one, its postmortem, and the coverage. */
import { UserError } from '../base/errors.js';
import { type CoverageRun, readCoverage, standNow } from '../alerts/coverage/index.js';
import type { Planned } from '../chaos/gameday/command.js';
import { type Comparison, compareDays } from '../chaos/gameday/compare.js';
import { resultOf } from '../runbooks/report/result.js';
import type { Reader } from './answers.js';
import { readPostmortem } from './postmortem.js';
import { recordIn } from './report-file.js';

export interface FacilitatorSources {
  /** The report that is shown, and an earlier one. */
  folder: string;
  before: string | undefined;
  stateFolder: string;
  drill: string | undefined;
}

export interface CoverageView {
  system: string;
  /** Oldest first. */
  runs: Pick<CoverageRun, 'run' | 'atMs'>[];
  /** Every drill of the runs, in the order of failure modes. */
  drills: {
    id: string;
    /** Empty if none is named. */
    failureMode: string;
    /** In the order of the runs; null: not run, or without effect. */
    verdicts: (string | null)[];
    passedAtMs?: number;
  }[];
  alerts: {
    alert: string;
    severity: string;
    /** In the order of the runs; `absent`: the run had no such rule. */
    states: ('proven' | 'never' | 'cannot' | 'absent')[];
    now: 'proven' | 'never' | 'cannot';
    provenAtMs?: number;
    provenBy?: string;
  }[];
}

export type PlanView = Planned;
export type ReportView = Comparison & { hasBefore: boolean };

const shownRuns = 12;

export function facilitatorReaders(sources: FacilitatorSources): [string, Reader][] {
  return [
    ['plan', () => plan(sources)],
    ['report', () => Promise.resolve(report(sources))],
    ['postmortem', () => Promise.resolve(readPostmortem(sources.folder))],
    ['coverage', () => Promise.resolve(coverage(sources))],
  ];
}

/** Loads the code of game days for this view only. */
async function plan({ drill, stateFolder }: FacilitatorSources): Promise<PlanView> {
  const { plannedDay } = await import('../chaos/gameday/command.js');
  return plannedDay({
    ...(drill !== undefined && { drill }),
    load: 'auto',
    input: [],
    rules: [],
    out: 'gameday-report',
    format: 'json',
    state: stateFolder,
    allowance: '2',
    prometheus: 'auto',
  });
}

function report({ folder, before }: FacilitatorSources): ReportView {
  const folders = before === undefined ? [folder] : [before, folder];
  const results = folders.map((path) => {
    const record = recordIn(path);
    if (record) return resultOf(record);
    throw new UserError(`${path} holds no finished drill yet: its report comes at the end`);
  });
  const compared = compareDays(results);
  return { ...compared, hasBefore: before !== undefined };
}

function coverage({ stateFolder }: FacilitatorSources): CoverageView {
  const all = readCoverage(stateFolder);
  const system = all.at(-1)?.system;
  const stand = system === undefined ? undefined : standNow(all, system);
  if (system === undefined || !stand) {
    throw new UserError(`${stateFolder} keeps no run yet: gameday run --state ${stateFolder}`);
  }
  const kept = all.filter((r) => r.system === system);
  const runs = kept.slice(-shownRuns);
  return {
    system,
    runs: runs.map(({ run, atMs }) => ({ run, atMs })),
    drills: drillsOf(kept, runs),
    alerts: stand.alerts.map(({ alert, severity, state, proof }) => ({
      alert,
      severity,
      states: runs.map(
        (r) =>
          r.alerts.find((a) => a.alert === alert && a.severity === severity)?.state ?? 'absent',
      ),
      now: state,
      ...(proof && { provenAtMs: proof.atMs, provenBy: proof.scenario }),
    })),
  };
}

/** `kept` are all runs, of which `runs` are shown. */
function drillsOf(
  kept: readonly CoverageRun[],
  runs: readonly CoverageRun[],
): CoverageView['drills'] {
  const ids = new Set(kept.flatMap((r) => [...r.scenarios, ...Object.keys(r.drills ?? {})]));
  const rows = [...ids].map((id) => {
    const passed = kept.findLast((r) => r.drills?.[id]?.verdict === 'PASS');
    return {
      id,
      failureMode: kept.findLast((r) => r.drills?.[id])?.drills?.[id]?.failureMode ?? '',
      verdicts: runs.map(
        ({ drills, scenarios }) => drills?.[id]?.verdict ?? (scenarios.includes(id) ? 'run' : null),
      ),
      ...(passed && { passedAtMs: passed.atMs }),
    };
  });
  const order = (r: (typeof rows)[number]): string => `${r.failureMode || '~'} ${r.id}`;
  return rows.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}
