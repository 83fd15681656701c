/**
 * A new version of a service takes over the traffic step by step, as long as its failures and slow answers are no more
 * frequent than the old version's; otherwise all traffic is rolled back. Time, weights and counts are injected.
 */
import { messageOf } from '../../../base/errors.js';
import { type Both, type Counted, WorseTest } from './worse-test.js';

/** Counters since a fixed start: they only grow. */
export interface Counts {
  requests: number;
  failed: number;
  /** The number of answers later than the threshold. */
  slow: number;
}

export interface CountsOfBoth {
  stable: Counts;
  canary: Counts;
}

/** `mirror`: the new version gets copies of requests, and its answers are discarded. */
export type Stage = { kind: 'mirror' } | { kind: 'weight'; percent: number };

export interface RolloutParts {
  stages: readonly Stage[];
  /** The minimum duration of a stage, which also lasts until both versions have had `minRequests` requests. */
  stageMs: number;
  minRequests: number;
  pollMs: number;
  /** The chance that a version which is no worse is rolled back: both tests together. */
  alpha: number;
  /** The new version's failures and slow answers may be this many times as frequent as the old version's. */
  margin: number;
  /** Applies a stage's weights. */
  apply(stage: Stage): Promise<void>;
  counts(): Promise<CountsOfBoth>;
  /** The reason why the last counts say too little, so that no stage may pass by them. */
  doubt(): string | undefined;
  /** The reason why the weights are no more those that were applied: then nothing could be compared. */
  disturbed(): Promise<string | undefined>;
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  signal: AbortSignal;
  say(line: string): void;
}

export interface StageRecord {
  stage: string;
  seconds: number;
  stable: Counts;
  canary: Counts;
}

export interface RolloutRecord {
  verdict: 'promoted' | 'rolled back' | 'inconclusive' | 'interrupted';
  why: string;
  stages: StageRecord[];
  /** The sums of all stages. */
  stable: Counts;
  canary: Counts;
  /** The highest evidence that the version is worse: chance alone reaches x with a probability of 1/x at most. */
  evidence: { failures: number; slowness: number };
}

const none = (): Counts => ({ requests: 0, failed: 0, slow: 0 });
/** A stage without enough requests after this many times its duration is given up. */
const patience = 5;
export const stable: Stage = { kind: 'weight', percent: 0 };

export const stageText = (stage: Stage): string =>
  stage.kind === 'mirror' ? 'mirror' : `${stage.percent}%`;

/** Never leaves weights between the declared ends: all traffic goes to the new version, or none. */
export async function rollOut(parts: RolloutParts): Promise<RolloutRecord> {
  const failures = new WorseTest(parts.alpha / 2, parts.margin);
  const slowness = new WorseTest(parts.alpha / 2, parts.margin);
  const stages: StageRecord[] = [];
  const end = (verdict: RolloutRecord['verdict'], why: string): RolloutRecord => ({
    verdict,
    why,
    stages,
    stable: sumOf(stages.map((s) => s.stable)),
    canary: sumOf(stages.map((s) => s.canary)),
    evidence: { failures: failures.evidence, slowness: slowness.evidence },
  });
  const back = async (verdict: RolloutRecord['verdict'], why: string): Promise<RolloutRecord> => {
    await parts.apply(stable);
    return end(verdict, why);
  };
  try {
    for (const stage of parts.stages) {
      const found = await oneStage(parts, stage, { failures, slowness }, stages);
      if (found) return await back(found.verdict, found.why);
    }
  } catch (error) {
    await parts.apply(stable);
    throw error;
  }
  const last = parts.stages.at(-1);
  if (last?.kind !== 'weight' || last.percent < 100) {
    return back('inconclusive', 'the last stage is not all of the traffic');
  }
  return end('promoted', 'it was no worse in any stage');
}

type Ended = Pick<RolloutRecord, 'verdict' | 'why'>;
interface Tests {
  failures: WorseTest;
  slowness: WorseTest;
}

async function oneStage(
  parts: RolloutParts,
  stage: Stage,
  tests: Tests,
  stages: StageRecord[],
): Promise<Ended | undefined> {
  if (parts.signal.aborted) return { verdict: 'interrupted', why: 'it was stopped' };
  await parts.apply(stage);
  const record: StageRecord = {
    stage: stageText(stage),
    seconds: 0,
    stable: none(),
    canary: none(),
  };
  stages.push(record);
  parts.say(`${record.stage}: begins`);
  // With all traffic at the new version nothing is left to compare with, so the last stage only sets its weights.
  if (stage.kind === 'weight' && stage.percent >= 100) return undefined;
  try {
    return await watched(parts, record, tests, stages);
  } catch (error) {
    return { verdict: 'inconclusive', why: messageOf(error) };
  }
}

async function watched(
  parts: RolloutParts,
  record: StageRecord,
  tests: Tests,
  stages: StageRecord[],
): Promise<Ended | undefined> {
  const beganMs = parts.nowMs();
  let before = await parts.counts();
  // Requests of one version alone wait for the first of the other: shares are the same within a stage.
  let fresh: CountsOfBoth = { stable: none(), canary: none() };
  for (;;) {
    await parts.sleep(parts.pollMs);
    if (parts.signal.aborted) return { verdict: 'interrupted', why: 'it was stopped' };
    const [now, disturbed] = await Promise.all([parts.counts(), parts.disturbed()]);
    if (disturbed !== undefined) return { verdict: 'inconclusive', why: disturbed };
    const more = {
      stable: since(before.stable, now.stable),
      canary: since(before.canary, now.canary),
    };
    before = now;
    record.stable = sumOf([record.stable, more.stable]);
    record.canary = sumOf([record.canary, more.canary]);
    record.seconds = (parts.nowMs() - beganMs) / 1000;
    fresh = {
      stable: sumOf([fresh.stable, more.stable]),
      canary: sumOf([fresh.canary, more.canary]),
    };
    if (fresh.stable.requests > 0 && fresh.canary.requests > 0) {
      tests.failures.add(only(fresh, 'failed'));
      tests.slowness.add(only(fresh, 'slow'));
      fresh = { stable: none(), canary: none() };
    }
    const worse = whyWorse(tests, stages);
    if (worse !== undefined) return { verdict: 'rolled back', why: worse };
    const elapsedMs = parts.nowMs() - beganMs;
    const missing = parts.doubt() ?? whyTooFew(record, parts.minRequests);
    if (elapsedMs >= parts.stageMs && missing === undefined) {
      const { requests, failed } = record.canary;
      parts.say(`${record.stage}: no worse after ${requests} requests, ${failed} failed`);
      return undefined;
    }
    if (elapsedMs >= patience * parts.stageMs)
      return { verdict: 'inconclusive', why: `${missing} at ${record.stage}` };
  }
}

/** Without requests to both versions nothing was compared. */
function whyTooFew({ stable: was, canary: is }: StageRecord, least: number): string | undefined {
  const [few, version] = is.requests < least ? [is, 'new'] : [was, 'old'];
  if (few.requests >= least) return undefined;
  return `only ${few.requests} of ${least} requests came to the ${version} version`;
}

function whyWorse(
  { failures, slowness }: Tests,
  stages: readonly StageRecord[],
): string | undefined {
  const test = failures.isWorse ? failures : slowness.isWorse ? slowness : undefined;
  if (!test) return undefined;
  const what = test === failures ? 'failed' : 'slow';
  const words = test === failures ? 'fail' : 'are slow';
  const [was, is] = [sumOf(stages.map((s) => s.stable)), sumOf(stages.map((s) => s.canary))];
  const share = (counts: Counts): string =>
    `${percentOf(counts[what], counts.requests)} of ${counts.requests}`;
  return `${share(is)} requests ${words} at the new version, ${share(was)} at the old one`;
}

const percentOf = (part: number, all: number): string =>
  all === 0 ? 'none' : `${((100 * part) / all).toFixed(2)}%`;

const only = ({ stable: was, canary: is }: CountsOfBoth, what: 'failed' | 'slow'): Both => {
  const of = (counts: Counts): Counted => ({ requests: counts.requests, bad: counts[what] });
  return { stable: of(was), canary: of(is) };
};

/** A sum that fell lost the counter of a pod that went: how much came since is not known, and none of it counts. */
function since(before: Counts, now: Counts): Counts {
  const more = (what: keyof Counts): number => now[what] - before[what];
  const all = { requests: more('requests'), failed: more('failed'), slow: more('slow') };
  return Object.values(all).some((n) => n < 0) ? none() : all;
}

function sumOf(all: readonly Counts[]): Counts {
  return all.reduce(
    (sum, one) => ({
      requests: sum.requests + one.requests,
      failed: sum.failed + one.failed,
      slow: sum.slow + one.slow,
    }),
    none(),
  );
}

/**
 * Returns the new version's failures as a share of an objective's error budget for a period at this rate of requests.
 */
export function budgetSpent(
  record: Pick<RolloutRecord, 'stable' | 'canary' | 'stages'>,
  objective: number,
  periodSeconds: number,
): number {
  const seconds = record.stages.reduce((sum, s) => sum + s.seconds, 0);
  const rate = (record.stable.requests + record.canary.requests) / Math.max(1, seconds);
  const allowed = (1 - objective) * rate * periodSeconds;
  return allowed === 0 ? 0 : record.canary.failed / allowed;
}
