/**
 * The layers that a destination or a route may put before a request is sent, in order; the first that refuses ends
 * the request. README.md has the order of the whole path, with a reason for each step.
 */
import type { OutboundRequest } from './outbound-request.js';

interface Layer {
  readonly name: string;
  /** The reason for its place in the order. */
  readonly why: string;
  apply(request: OutboundRequest, nowMs: number): void;
}

export const outboundLayers: readonly Layer[] = [
  {
    name: 'destination',
    why: 'For a loop, a missing host or an unknown name no route applies.',
    apply(request) {
      const { name, refused } = request.destination;
      if (refused === '') return;
      request.refuse(name === 'loop' ? 508 : name === 'no-host' ? 400 : 502, name, refused);
    },
  },
  {
    name: 'cors',
    why: 'Before all that a route does: a preflight only asks, and concerns neither a backend nor a limit.',
    apply(request) {
      const headers = request.route.cors?.preflight(request.request);
      if (!headers) return;
      request.refusal = {
        kind: 'answer',
        status: 204,
        grpcStatus: -1,
        headers,
        body: '',
        reason: 'preflight',
      };
    },
  },
  {
    name: 'redirect',
    why: 'Before the limits: these answers cost the backend nothing, so they must not use up its limits.',
    apply(request) {
      const location = request.route.location(request.request, request.pathJudged);
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
    why: 'Before the limits: a route, or a share of it, without a backend has nothing that limits protect.',
    apply(request) {
      const own = request.route.source.respond ?? request.share.respond;
      if (!own) return;
      const said = own.status === 404 ? 'no route matches' : 'the route has no backend to send to';
      request.refuse(own.status, own.reason, said);
    },
  },
  {
    name: 'rate limit',
    why: 'Before concurrency: a client over its rate gets that answer even if the backend is idle.',
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
    why: 'After the rate limit: a request that it refused is not in flight.',
    apply(request) {
      const { maxConcurrent, metrics } = request.route;
      if (maxConcurrent <= 0 || metrics.inFlight <= maxConcurrent) return;
      metrics.shedConcurrency++;
      request.refuse(503, 'concurrency', 'too many requests under way', 1000);
    },
  },
  {
    name: 'rewrite',
    why: 'Last: all other layers judge the request as the client sent it; only the forwarded request is changed.',
    apply(request) {
      const rewritten = request.route.rewrite(request.request, request.pathJudged);
      if (rewritten.path !== undefined) request.path = rewritten.path;
      request.authority = rewritten.authority;
    },
  },
];
