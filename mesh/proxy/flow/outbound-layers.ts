/**
 * What a destination or a route may do with a request before it is sent, in order; the first that refuses ends it. What
 * stands around these is in README.md: the whole order with a reason for each.
 */
import type { OutboundRequest } from './outbound-request.js';

interface Layer {
  readonly name: string;
  /** Why it stands where it does. */
  readonly why: string;
  apply(request: OutboundRequest, nowMs: number): void;
}

export const outboundLayers: readonly Layer[] = [
  {
    name: 'destination',
    why: 'A loop, no host, an unknown name: no route of it means anything.',
    apply(request) {
      const { name, refused } = request.destination;
      if (refused === '') return;
      request.refuse(name === 'loop' ? 508 : name === 'no-host' ? 400 : 502, name, refused);
    },
  },
  {
    name: 'redirect',
    why: 'Before the limits: it costs the backend nothing, so that it spends none of what limits spare.',
    apply(request) {
      const location = request.route.location(request.request);
      if (location === undefined) return;
      request.refusal = {
        kind: 'answer',
        status: request.route.source.redirect?.status ?? 302,
        grpcStatus: -1,
        headers: ['location', location],
        body: '',
        reason: 'redirect',
      };
    },
  },
  {
    name: 'respond',
    why: 'A route, or a share of it, without a backend: nothing behind it need be spared either.',
    apply(request) {
      const own = request.route.source.respond ?? request.share.respond;
      if (!own) return;
      const said = own.status === 404 ? 'no route matches' : 'the route has no backend to send to';
      request.refuse(own.status, own.reason, said);
    },
  },
  {
    name: 'rate limit',
    why: 'Before concurrency: a client over its rate is told so, however idle the backend is.',
    apply(request, nowMs) {
      const { limiter, metrics } = request.route;
      const waitMs = limiter ? limiter.take(request.request.peerIdentity, nowMs) : 0;
      if (!limiter || waitMs <= 0) return;
      if (limiter.policy.per === 'all') metrics.rateLimited++;
      else metrics.rateLimitedByIdentity++;
      request.refuse(429, 'rate-limit', 'rate limit', waitMs);
    },
  },
  {
    name: 'concurrency',
    why: 'After the rate limit: what that refused is not under way.',
    apply(request) {
      const { maxConcurrent, metrics } = request.route;
      if (maxConcurrent <= 0 || metrics.inFlight <= maxConcurrent) return;
      metrics.shedConcurrency++;
      request.refuse(503, 'concurrency', 'too many requests under way', 1000);
    },
  },
  {
    name: 'rewrite',
    why: 'Last: everything before it judges what the client asked for, and only what is sent on is changed.',
    apply(request) {
      const rewritten = request.route.rewrite(request.request, request.pathJudged);
      if (rewritten.path !== undefined) request.path = rewritten.path;
      request.authority = rewritten.authority;
    },
  },
];
