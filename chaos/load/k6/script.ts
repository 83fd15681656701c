/**
 * Runs the profile in k6: one scenario for each route, at a given rate regardless of the answers' latency. PROFILE is
 * the profile as JSON (see chaos/load/profile.ts). With THRESHOLDS, also JSON, k6 judges by itself, and exits with 99
 * if a threshold is exceeded:
 *
 *   k6 run -e PROFILE="$(firedrill load run --print)" dist/chaos/load/k6/script.js
 */
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Trend } from 'k6/metrics';
import grpc from 'k6/net/grpc';
import type { Options, Scenario } from 'k6/options';
import type { LoadProfile, LoadRoute } from '../profile.js';
import { addressOf, bodyProblem, defaultStatuses, fillHeaders, fillIn } from '../request.js';

const profile = JSON.parse(__ENV.PROFILE ?? '{}') as LoadProfile;

/** k6 takes integer rates: this many requests per so many seconds. */
const unitSeconds = 1000;
const rateOf = (route: LoadRoute, factor = 1): number =>
  Math.max(0, Math.round(route.requestsPerSecond * factor * unitSeconds));

function scenarioOf(route: LoadRoute): Scenario {
  const common = {
    timeUnit: `${unitSeconds}s`,
    gracefulStop: '0s',
    // A VU that k6 allocates on demand is too late: requests would be dropped just while answers are slow.
    preAllocatedVUs: Math.ceil((profile.maxInFlight / profile.routes.length) * 0.8),
    maxVUs: Math.ceil(profile.maxInFlight / profile.routes.length),
    exec: 'run',
  };
  const { stages } = profile;
  const length = __ENV.DURATION ?? '12h';
  if (!stages || stages.length === 0) {
    const rate = Math.max(1, rateOf(route));
    return { executor: 'constant-arrival-rate', rate, duration: length, ...common };
  }
  const last = stages[stages.length - 1]?.factor ?? 1;
  return {
    executor: 'ramping-arrival-rate',
    startRate: stages[0]?.ramp ? 0 : rateOf(route, stages[0]?.factor),
    stages: [
      ...stages.flatMap((stage) => [
        ...(stage.ramp ? [] : [{ duration: '0s', target: rateOf(route, stage.factor) }]),
        { duration: `${stage.forMs}ms`, target: rateOf(route, stage.factor) },
      ]),
      { duration: length, target: rateOf(route, last) },
    ],
    ...common,
  };
}

const scenarios: Record<string, Scenario> = {};
profile.routes.forEach((route, i) => (scenarios[`route_${i}`] = scenarioOf(route)));

export const options: Options = {
  scenarios,
  discardResponseBodies: true,
  thresholds: __ENV.THRESHOLDS === undefined ? {} : JSON.parse(__ENV.THRESHOLDS),
  summaryTrendStats: ['med', 'p(95)', 'p(99)'],
};

const callbacks = profile.routes.map((route) =>
  http.expectedStatuses(
    ...(route.expect?.statuses ?? defaultStatuses).map(({ from, to }) => ({ min: from, max: to })),
  ),
);

const client = new grpc.Client();
for (const proto of new Set(profile.routes.flatMap((r) => r.grpc?.proto ?? []))) {
  const at = proto.lastIndexOf('/');
  client.load([proto.slice(0, Math.max(1, at))], proto.slice(at + 1));
}
let connected = false;
/** A call without a connection is not a request in k6's metrics, so it is counted here. */
const unanswered = new Trend('firedrill_unanswered', true);

export function run(): void {
  const i = Number(exec.scenario.name.slice('route_'.length));
  const route = profile.routes[i];
  if (!route) return;
  const n = exec.scenario.iterationInTest;
  const unique = `k6-${i}-${exec.vu.idInTest}-${exec.vu.iterationInInstance}`;
  if (route.grpc) return call(route, route.grpc, n, unique);
  const answer = http.request(
    route.method,
    addressOf(profile.url, fillIn(route.path, n, unique)),
    route.body === undefined ? null : fillIn(route.body, n, unique),
    {
      headers: {
        ...(profile.host !== undefined && { Host: profile.host }),
        ...fillHeaders(route.headers, n, unique),
      },
      tags: { name: route.name },
      timeout: profile.timeoutMs,
      redirects: 0,
      ...(callbacks[i] && { responseCallback: callbacks[i] }),
      responseType: route.expect?.body ? 'text' : 'none',
    },
  );
  if (route.expect?.body) {
    const text = typeof answer.body === 'string' ? answer.body : '';
    const isRight = (): boolean => bodyProblem(route.expect?.body, text) === undefined;
    check(answer, { body: isRight }, { name: route.name });
  }
}

function call(
  route: LoadRoute,
  { method, message, proto }: NonNullable<LoadRoute['grpc']>,
  n: number,
  unique: string,
): void {
  if (!connected) {
    const host = profile.url.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '');
    const startMs = Date.now();
    try {
      const timeout = profile.timeoutMs;
      client.connect(host, { plaintext: true, reflect: proto === undefined, timeout });
      connected = true;
    } catch {
      unanswered.add(Date.now() - startMs, { name: route.name });
      return;
    }
  }
  const answer = client.invoke(method, JSON.parse(fillIn(JSON.stringify(message), n, unique)), {
    metadata: fillHeaders(route.headers, n, unique),
    tags: { name: route.name },
    timeout: profile.timeoutMs,
  });
  check(answer, { status: () => answer?.status === grpc.StatusOK }, { name: route.name });
}
