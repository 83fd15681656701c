/**
 * The same profile for k6: one constant-arrival-rate scenario a route. PROFILE is the profile as JSON (see
 * chaos/load/profile.ts). With THRESHOLDS, also JSON, k6 judges by itself and ends with 99 where one is crossed:
 *
 *   k6 run -e PROFILE="$(firedrill chaos load --print)" -e THRESHOLDS='{"http_req_failed":["rate<0.005"]}' load.js
 */
import http from 'k6/http';
import exec from 'k6/execution';

const profile = JSON.parse(__ENV.PROFILE);

const scenarios = {};
for (const route of profile.routes) {
  // k6 takes whole rates: so many in ten seconds.
  scenarios[route.name] = {
    executor: 'constant-arrival-rate',
    rate: Math.max(1, Math.round(route.requestsPerSecond * 10)),
    timeUnit: '10s',
    duration: __ENV.DURATION || '12h',
    gracefulStop: '0s',
    // A VU made when it is needed comes too late: requests would be dropped just while answers are slow.
    preAllocatedVUs: Math.ceil((profile.maxInFlight / profile.routes.length) * 0.8),
    maxVUs: Math.ceil(profile.maxInFlight / profile.routes.length),
    exec: 'run',
  };
}

export const options = {
  scenarios,
  discardResponseBodies: true,
  thresholds: __ENV.THRESHOLDS ? JSON.parse(__ENV.THRESHOLDS) : {},
  summaryTrendStats: ['med', 'p(95)', 'p(99)'],
};

export function run() {
  const route = profile.routes.find((r) => r.name === exec.scenario.name);
  const id = `${exec.vu.idInTest}-${exec.vu.iterationInInstance}`;
  const headers = { Host: 'web.retail', 'x-user': `user-${exec.scenario.iterationInTest % 500}` };
  if (route.idempotencyKey) headers['idempotency-key'] = `k6-${route.name}-${id}`;
  http.request(route.method, `${profile.url}${route.path}`, route.body || null, {
    headers,
    tags: { name: route.name },
    timeout: profile.timeoutMs,
  });
}
