/** The fields of a backend's policy, each described once; as in route.ts. */
import {
  choice,
  count,
  filled,
  group,
  milliseconds,
  type Of,
  preset,
  presetsOf,
  ratio,
  seconds,
} from './fields.js';

const positive = { registry: { above: 0 } };

export const breakerFields = {
  consecutiveFailures: {
    ...preset(7, count('Failures in a row that open it.', positive)),
    annotation: 'breaker-consecutive-failures',
  },
  successRate: group('It also opens below a success rate; absent: it does not.', {
    threshold: preset(0.8, ratio('The least success rate.')),
    windowSeconds: preset(10, seconds('The time over which it is measured.', { min: 0.1 })),
    minRequests: preset(20, count('It does not open with fewer requests.', positive)),
  }),
  minOpenMs: preset(1000, milliseconds('It stays open at least so long.')),
  maxOpenMs: preset(60_000, milliseconds('The longest time, after several failed probes.')),
  jitter: preset(0.5, ratio('The share of that time that is random.')),
  maxEjectedRatio: preset(
    0.5,
    ratio('At most this share of endpoints is open at once, and at least one may be.'),
  ),
  panicRatio: preset(
    0.25,
    ratio('Below this share of closed endpoints breakers are ignored, and all endpoints used.'),
  ),
};

export const backendPolicy = {
  balancer: filled(
    {},
    group('The choice of an endpoint.', {
      kind: filled('ewma', choice('By latency, or by lot.', 'ewma', 'random')),
      defaultRttMs: filled(30, milliseconds('The latency of an endpoint not yet measured.')),
      decaySeconds: filled(
        10,
        seconds('The time after which a latency has faded.', { min: 0.001 }),
      ),
      slowStartSeconds: filled(0, seconds('The time in which a new endpoint gets its full share.')),
      affinitySeconds: seconds(
        'A proxy keeps its endpoint for this long after its last request. Absent: it does not.',
        { min: 1 },
      ),
    }),
  ),
  breaker: group(
    'The usual terms: closed lets all requests through, open none, half-open one probe. Absent: none.',
    breakerFields,
  ),
  limits: filled(
    {},
    group('Of each endpoint.', {
      maxConnections: filled(1024, count('Connections.', positive)),
      maxPending: filled(1024, count('Requests that wait for a connection.')),
      maxRequests: filled(4096, count('Requests in flight.', positive)),
    }),
  ),
  failFastMs: filled(
    3000,
    milliseconds('Requests are answered 503 when no endpoint has been ready for this long.'),
  ),
};

export type BackendPolicy = Of<typeof backendPolicy>;
/** Closed lets all requests through, open lets none, half-open lets one probe. */
export type BreakerPolicy = Of<typeof breakerFields>;

export const backendDefaults = presetsOf(backendPolicy) as BackendPolicy;
export const breakerDefaults = presetsOf(breakerFields) as BreakerPolicy;
