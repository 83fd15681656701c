/** `firedrill load run`: puts the shop, or a user's address, under load, and checks the objectives of its SLOs. */
import { dirname } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { realClock, sleep } from '../../base/clock.js';
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import { formatTable } from '../../base/terminal.js';
import { writeFileWhole } from '../../base/write-file.js';
import { readSlos } from '../../slo/index.js';
import { Journal } from '../runner/journal.js';
import { readSwitch } from '../runner/stop-switch.js';
import { type Load, startPlan } from './load.js';
import { type LoadPlan, readLoad, sentTo } from './load-file.js';
import { bindProfile, plainTemplate } from './profile.js';
import type { LoadPoint } from './points.js';
import {
  judgeLoad,
  loadJunit,
  routeRows,
  type Threshold,
  type ThresholdResult,
  thresholdsOf,
} from './thresholds.js';
import { baseOf, targetUrl } from './target-url.js';
import { findDrill } from '../system/bundled.js';
import type { Drill } from '../system/drill-file.js';
import { startSystem } from '../system/start.js';

export interface LoadCommandOptions {
  duration: string;
  rate?: string;
  load: string;
  input: string[];
  profile?: string;
  url?: string;
  junit?: string;
  print?: boolean;
  state: string;
}

/** The time in milliseconds after the start that does not count against the system. */
const warmUpMs = 2000;
const switchPeriodMs = 250;

interface Request {
  plan: LoadPlan;
  url: string;
  rate?: number;
  driver: 'auto' | 'embedded' | 'k6';
  lengthMs: number;
  thresholds: Threshold[];
  stateFolder: string;
  junit?: string;
}

/** Without an address and a profile, the drill's system is loaded and checked against the drill's SLOs. */
export async function loadCommand(given: LoadCommandOptions): Promise<number> {
  const { lengthMs, rate, driver } = checked(given);
  const drill = given.url === undefined && given.profile === undefined ? findDrill() : undefined;
  const files = given.input.length > 0 ? given.input : (drill?.slos ?? []);
  const slos = files.length > 0 ? readSlos(files, { windows: 'any' }) : [];
  const written = drill?.load ?? planOf(given, rate, [...new Set(slos.map((s) => s.service))]);
  const ownUrl = written.kind === 'profile' ? written.profile.url : undefined;
  const asked = given.url ?? ownUrl;
  const target = asked === undefined ? undefined : targetUrl(asked);
  // Without a profile, the path is part of the single request.
  const isPlain = !drill && given.profile === undefined;
  const url = target && (isPlain ? target.origin : baseOf(target));
  const plan = url === undefined ? written : sentTo(written, url);
  if (!drill && url === undefined && plan.kind !== 'existing') {
    throw new UserError({ message: 'the load has no address', expected: '--url, or url: in it' });
  }
  if (given.print === true) return print(plan, url ?? 'http://127.0.0.1:8080', rate);
  refuseUnderSwitch(given.state);
  const whole = thresholdsOf(slos);
  // The shop's client can judge only some of the shop's own SLOs; for an SLO that the user names, an unjudged objective
  // is reported.
  const known = plan.kind === 'profile' ? plan.profile.routes.map((r) => r.service ?? r.name) : [];
  const thresholds =
    given.input.length > 0 ? whole : whole.filter((t) => known.includes(t.service));
  const request = {
    plan,
    driver,
    lengthMs,
    thresholds,
    stateFolder: given.state,
    ...(rate !== undefined && { rate }),
    ...(given.junit !== undefined && { junit: given.junit }),
  };
  if (!drill) return loadAndJudge({ ...request, url: url ?? '' });
  return loadSystem(drill, request);
}

async function loadSystem(drill: Drill, request: Omit<Request, 'url'>): Promise<number> {
  const journal = new Journal(request.stateFolder, `load-${realClock.nowMs()}`, () =>
    realClock.nowMs(),
  );
  const shop = await startSystem(drill, {
    journal,
    certificateLifetimeMs: 86_400_000,
    say: (line) => void process.stderr.write(`${line}\n`),
  });
  try {
    await shop.ready;
    return await loadAndJudge({ ...request, url: shop.system.description.url });
  } finally {
    await shop.stop();
    journal.close();
  }
}

function checked(
  given: LoadCommandOptions,
): Pick<Request, 'lengthMs' | 'driver'> & { rate?: number } {
  const lengthMs = parseDurationMs(given.duration);
  if (lengthMs === undefined || lengthMs < 1000) {
    const expected = 'such as 60s, a second at least';
    throw new UserError({ message: `bad --duration '${given.duration}'`, expected });
  }
  const rate = given.rate === undefined ? undefined : Number(given.rate);
  if (rate !== undefined && !(rate >= 0.1 && rate <= 10_000)) {
    throw new UserError({ message: `bad --rate '${given.rate}'`, expected: '0.1 to 10000' });
  }
  if (!['auto', 'embedded', 'k6'].includes(given.load)) {
    throw new UserError({ message: `bad --load '${given.load}'`, expected: 'auto, embedded, k6' });
  }
  const driver = given.load as Request['driver'];
  return { lengthMs, driver, ...(rate !== undefined && { rate }) };
}

/** Without a profile, one GET is sent, to the URL's path and query. */
function planOf(given: LoadCommandOptions, rate: number | undefined, services: string[]): LoadPlan {
  if (given.profile !== undefined) return readLoad(given.profile);
  const { pathname, search } = targetUrl(given.url ?? 'http://host/');
  const [only, ...more] = services;
  const stands = more.length === 0 ? only : undefined;
  return { kind: 'profile', profile: plainTemplate(rate ?? 50, stands, `${pathname}${search}`) };
}

function print(plan: LoadPlan, url: string, rate: number | undefined): number {
  if (plan.kind !== 'profile') throw new UserError('only a profile can be printed');
  const profile = bindProfile(plan.profile, url, rate);
  process.stdout.write(`${JSON.stringify(profile)}\n`);
  return exitCode.ok;
}

function refuseUnderSwitch(stateFolder: string): void {
  const stop = readSwitch(stateFolder);
  if (!stop) return;
  const message = `the kill switch is thrown (${stop.reason}): firedrill gameday stop --clear`;
  throw new UserError(message, exitCode.aborted);
}

/** Resolves at the end of the time, or earlier with the reason of a thrown switch. */
async function lasting(
  lengthMs: number,
  stateFolder: string,
  load: Load,
  signal: AbortSignal,
): Promise<string | undefined> {
  const end = realClock.monotonicMs() + lengthMs;
  while (!signal.aborted && load.failure === undefined) {
    const stop = readSwitch(stateFolder);
    if (stop) return stop.reason;
    const leftMs = end - realClock.monotonicMs();
    if (leftMs <= 0) return undefined;
    await sleep(Math.min(leftMs, switchPeriodMs), signal);
  }
  return undefined;
}

async function loadAndJudge(request: Request): Promise<number> {
  const { plan, lengthMs, stateFolder } = request;
  const load = await startPlan(plan, request);
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    const startMs = realClock.nowMs() + warmUpMs;
    const switched = await lasting(warmUpMs + lengthMs, stateFolder, load, abort.signal);
    const endMs = realClock.nowMs();
    if (switched !== undefined) {
      throw new UserError(`stopped by the kill switch: ${switched}`, exitCode.aborted);
    }
    if (abort.signal.aborted) return exitCode.interrupted;
    if (load.failure !== undefined) {
      throw new UserError(`nothing can be said: ${load.failure}`, exitCode.inconclusive);
    }
    await sleep(load.lagMs);
    const results = resultsOf(request, load, startMs, endMs);
    report(load, load.points.between(startMs, endMs), results, request, (endMs - startMs) / 1000);
    return codeOf(results);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await load.stop();
  }
}

function resultsOf(
  { plan, thresholds }: Request,
  load: Load,
  startMs: number,
  endMs: number,
): ThresholdResult[] {
  const routes = plan.kind === 'profile' ? plan.profile.routes : [];
  const services = new Map(routes.map((r) => [r.name, r.service ?? r.name]));
  const points = load.points.between(startMs, endMs);
  const serviceOf = (route: string): string => services.get(route) ?? route;
  return judgeLoad({ thresholds, points, due: load.due?.(startMs, endMs) ?? 0, serviceOf });
}

function codeOf(results: readonly ThresholdResult[]): number {
  if (results.some((r) => r.verdict === 'missed')) return exitCode.failed;
  return results.every((r) => r.verdict === 'held') ? exitCode.ok : exitCode.inconclusive;
}

const words = { held: 'held', missed: 'MISSED', unjudged: 'NOT JUDGED' } as const;

function report(
  load: Load,
  points: readonly LoadPoint[],
  results: readonly ThresholdResult[],
  { junit }: Request,
  seconds: number,
): void {
  const early = load.points.count - points.length;
  const rows = results.map((r) => [words[r.verdict], r.name, r.measured, r.bound]);
  const by = load.version === undefined ? load.kind : `${load.kind} ${load.version}`;
  process.stdout.write(
    `${points.length} requests by ${by}, after ${early} that are not judged (the first ` +
      `${warmUpMs / 1000} s); ${load.points.dropped} dropped\n` +
      `${formatTable(['ROUTE', 'REQUESTS', 'FAILED', 'P95'], routeRows(points))}\n\n` +
      `${formatTable(['', 'OBJECTIVE', 'MEASURED', 'BOUND'], rows)}\n`,
  );
  if (junit === undefined) return;
  makeFolder(dirname(junit));
  writeFileWhole(junit, loadJunit(results, seconds));
}
