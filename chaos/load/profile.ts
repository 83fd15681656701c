/**
 * A load as a value: its requests and their rates, independent of the answers' latency. Both drivers run the same
 * profile.
 */
import type { Expectation } from './request.js';

export interface LoadRoute {
  name: string;
  /** The service whose objectives apply to this route; by default the route's own name. */
  service?: string;
  method: string;
  /** Relative to the URL's path; `{{n}}` and the like are filled in (see request.ts). */
  path: string;
  /** Requests begun per second: an open model. Stages multiply this rate. */
  requestsPerSecond: number;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** The definition of a success; by default a status from 200 to 399. */
  expect?: Expectation;
  /** A unary call instead of a request: method and path are then not used. */
  grpc?: GrpcCall;
}

export interface GrpcCall {
  /** `grpc.health.v1.Health/Check`. */
  method: string;
  /** As JSON. Any message but an empty one needs k6, which learns its type by reflection or from `proto`. */
  message: Readonly<Record<string, unknown>>;
  /** A .proto file; by default reflection is used. */
  proto?: string;
}

export interface Stage {
  /** Real milliseconds. */
  forMs: number;
  /** The factor for every route's rate. */
  factor: number;
  /** The factor is reached linearly over the stage, instead of at once. */
  ramp: boolean;
}

export interface LoadProfile {
  /** `http://127.0.0.1:4711`, with a path if all routes lie below it. */
  url: string;
  /** The Host header of every request; by default the URL's own. */
  host?: string;
  routes: LoadRoute[];
  timeoutMs: number;
  /** Maximum number of requests in flight; further due requests are dropped and counted. */
  maxInFlight: number;
  /** Stages from the start on; the last stage's rate continues until the load is stopped. */
  stages?: Stage[];
}

/** A profile whose address may come from elsewhere: `--url`, or the entry of the drilled system. */
export type LoadTemplate = Omit<LoadProfile, 'url'> & { url?: string };

export const requestsPerSecond = (profile: Pick<LoadProfile, 'routes'>): number =>
  profile.routes.reduce((sum, route) => sum + route.requestsPerSecond, 0);

/** The template at an address; its rates are scaled to the total `rate`, if given. */
export function bindProfile(template: LoadTemplate, url: string, rate?: number): LoadProfile {
  const factor = rate === undefined ? 1 : rate / requestsPerSecond(template);
  const routes = template.routes.map((route) => ({
    ...route,
    requestsPerSecond: route.requestsPerSecond * factor,
  }));
  return { ...template, url, routes };
}

/** The single request to an address without a profile: a GET, which writes nothing. */
export const plainTemplate = (rate: number, service?: string, path = '/'): LoadTemplate => ({
  routes: [
    {
      name: 'root',
      ...(service !== undefined && { service }),
      method: 'GET',
      path,
      requestsPerSecond: rate,
    },
  ],
  timeoutMs: 5000,
  maxInFlight: 200,
});

/** Number of requests that are due in a stretch of the load's own time, in milliseconds since its start. */
export function dueBetween(profile: LoadProfile, fromMs: number, toMs: number): number {
  const pace = paceOf(profile.stages);
  return requestsPerSecond(profile) * (pace.passed(toMs) - pace.passed(fromMs));
}

export interface Pace {
  /** Seconds of the unchanged rate that have passed after this many milliseconds. */
  passed(ms: number): number;
  /** The inverse: the time when this many seconds have passed; Infinity if never. */
  reached(seconds: number): number;
}

interface Piece {
  startMs: number;
  startSeconds: number;
  from: number;
  to: number;
  lengthMs: number;
}

/** The course of a rate over time, given its stages. */
export function paceOf(stages: readonly Stage[] = []): Pace {
  const pieces: Piece[] = [];
  let startMs = 0;
  let startSeconds = 0;
  let factor = stages[0]?.ramp ? 0 : (stages[0]?.factor ?? 1);
  const add = (from: number, to: number, lengthMs: number): void => {
    pieces.push({ startMs, startSeconds, from, to, lengthMs });
    startMs += lengthMs;
    startSeconds += ((from + to) / 2) * (lengthMs / 1000);
  };
  for (const stage of stages) {
    add(stage.ramp ? factor : stage.factor, stage.factor, stage.forMs);
    factor = stage.factor;
  }
  add(factor, factor, Infinity);
  return {
    passed(ms) {
      const piece = pieces.findLast((p) => p.startMs <= Math.max(0, ms)) as Piece;
      const intoMs = Math.max(0, ms) - piece.startMs;
      const slope = Number.isFinite(piece.lengthMs) ? (piece.to - piece.from) / piece.lengthMs : 0;
      return piece.startSeconds + (piece.from * intoMs + (slope * intoMs ** 2) / 2) / 1000;
    },
    reached(seconds) {
      const piece = pieces.findLast((p) => p.startSeconds <= seconds) as Piece;
      const left = (seconds - piece.startSeconds) * 1000;
      if (left === 0) return piece.startMs;
      if (piece.from === piece.to) {
        return piece.from === 0 ? Infinity : piece.startMs + left / piece.from;
      }
      const slope = (piece.to - piece.from) / piece.lengthMs;
      const root = Math.sqrt(piece.from ** 2 + 2 * slope * left);
      return piece.startMs + (root - piece.from) / slope;
    },
  };
}
