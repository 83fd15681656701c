/** Puts a load on a system until it is stopped: a profile run by k6 or the embedded driver, or a user's own script. */
import { realClock, sleep } from '../../base/clock.js';
import { exitCode, UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { startNode } from '../../base/child.js';
import { startK6 } from './k6.js';
import type { LoadPlan } from './load-file.js';
import { readDriverLine } from './driver-line.js';
import { startLocust } from './locust.js';
import { LoadPoints } from './points.js';
import { bindProfile, dueBetween, type LoadProfile, requestsPerSecond } from './profile.js';

/** `existing`: the system's own traffic, of which this package knows no points. */
export type LoadKind = 'k6' | 'embedded' | 'locust' | 'existing';

export interface Load {
  readonly kind: LoadKind;
  readonly version: string | undefined;
  readonly points: LoadPoints;
  /** The time in milliseconds after a request's end until its point is available. */
  readonly lagMs: number;
  /** The reason why the load ended by itself; undefined while it runs. */
  readonly failure: string | undefined;
  /** All routes together; undefined for users' scripts and existing traffic, whose rate is unknown. */
  readonly requestsPerSecond?: number;
  /** The routes of its profile, if it has one. */
  readonly routes?: readonly string[];
  /**
   * Number of requests that are due between two times (wall-clock), by its profile and its stages; 0 if the rate is
   * unknown.
   */
  due?(fromMs: number, toMs: number): number;
  stop(): Promise<void>;
}

const firstPointLimitMs = 20_000;

/** Resolves with the first answer. `auto` is k6 if k6 is found. */
export async function startLoad(
  kind: 'auto' | 'k6' | 'embedded',
  profile: LoadProfile,
): Promise<Load> {
  const script = program('chaos/load/k6/script');
  const useK6 = kind === 'k6' || (kind === 'auto' && findTool('k6') !== undefined);
  const beganMs = realClock.nowMs();
  const load = useK6
    ? await startK6(script, { PROFILE: JSON.stringify(profile) })
    : startEmbedded(profile, needsK6(profile));
  return Object.assign(await begun(load), {
    requestsPerSecond: requestsPerSecond(profile),
    routes: profile.routes.map((r) => r.name),
    due: (fromMs: number, toMs: number) =>
      toMs <= fromMs ? 0 : dueBetween(profile, fromMs - beganMs, toMs - beganMs),
  });
}

/** Runs a plan at an address, unless the plan names its own; resolves with the first answer. */
export async function startPlan(
  plan: LoadPlan,
  options: { driver: 'auto' | 'k6' | 'embedded'; url: string; rate?: number },
): Promise<Load> {
  switch (plan.kind) {
    case 'profile': {
      const url = plan.profile.url ?? options.url;
      return startLoad(options.driver, bindProfile(plan.profile, url, options.rate));
    }
    case 'k6':
      return begun(
        await startK6(plan.script, { ...plan.env, BASE_URL: options.url, URL: options.url }),
      );
    case 'locust':
      return begun(startLocust(plan, options.url));
    case 'existing':
      return existing();
  }
}

/** A route that the embedded driver cannot run. */
const needsK6 = (profile: LoadProfile): string | undefined =>
  profile.routes.find((r) => r.grpc && Object.keys(r.grpc.message).length > 0)?.name;

async function begun(load: Load): Promise<Load> {
  const end = realClock.nowMs() + firstPointLimitMs;
  while (load.points.count === 0) {
    if (load.failure !== undefined || realClock.nowMs() > end) {
      await load.stop();
      const why = load.failure ?? `no request ended within ${firstPointLimitMs / 1000} s`;
      throw new UserError(`the load (${load.kind}) did not start: ${why}`, exitCode.environment);
    }
    await sleep(20);
  }
  return load;
}

function existing(): Load {
  return {
    kind: 'existing',
    version: undefined,
    points: new LoadPoints(),
    lagMs: 0,
    failure: undefined,
    stop: async () => undefined,
  };
}

function startEmbedded(profile: LoadProfile, beyond: string | undefined): Load {
  if (beyond !== undefined) {
    const expected = 'k6 (firedrill tools install k6), or an empty message';
    throw new UserError({ message: `the route ${beyond} sends a gRPC message`, expected });
  }
  const points = new LoadPoints();
  const state: { failure?: string; stopping: boolean } = { stopping: false };
  const child = startNode('load', program('chaos/load/driver-main'), [JSON.stringify(profile)], {
    onStdout: (line) => readDriverLine(line, points),
  });
  void child.exited.then((code) => {
    if (!state.stopping) state.failure = `the embedded driver ended by itself${endText(code)}`;
  });
  return {
    kind: 'embedded',
    version: undefined,
    points,
    lagMs: 250,
    get failure() {
      return state.failure;
    },
    async stop() {
      state.stopping = true;
      await child.stop();
    },
  };
}

const endText = (code: number | null): string =>
  code === null ? ' (killed by a signal)' : ` (exit code ${code})`;
