/** The answers that count as failures. */
import type { Route } from '../../../model.js';

/** Linkerd's: UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED, INTERNAL, UNAVAILABLE, DATA_LOSS. A handler that throws is
 * UNKNOWN in most of gRPC's libraries. */
const defaultGrpcFailures = [2, 4, 7, 13, 14, 15];

/** A set of HTTP statuses and one of gRPC statuses, looked up by number. */
export class StatusSet {
  readonly #http = new Uint8Array(1000);
  readonly #grpc = new Uint8Array(32);

  constructor(ranges: readonly (readonly [number, number])[], grpcStatuses: readonly number[]) {
    for (const [from, to] of ranges) {
      for (let s = Math.max(0, from); s <= Math.min(999, to); s++) this.#http[s] = 1;
    }
    for (const status of grpcStatuses) if (status < 32) this.#grpc[status] = 1;
  }

  /** `grpcStatus` of -1: none yet. */
  has(status: number, grpcStatus: number): boolean {
    return this.#http[status] === 1 || (grpcStatus >= 0 && this.#grpc[grpcStatus] === 1);
  }
}

/** The breaker's failures, whatever the route says. */
export const breakerFailures = new StatusSet([[500, 599]], defaultGrpcFailures);

/** Most routes share the default set. */
export const failuresOf = ({ failure }: Pick<Route, 'failure'>): StatusSet =>
  failure
    ? new StatusSet(failure.statuses, failure.grpcStatuses ?? defaultGrpcFailures)
    : breakerFailures;

/** An answer that must not attract load: a failure, or a request to slow down. RESOURCE_EXHAUSTED is 8. */
export const repelling = new StatusSet(
  [
    [429, 429],
    [500, 599],
  ],
  [...defaultGrpcFailures, 8],
);
