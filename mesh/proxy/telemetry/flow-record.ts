/** The fields of a request that access log, tap, spans and `why` may read, in flight and at its end. */
import type { RequestInfo } from '../flow/contract.js';
import type { Span } from './tracer.js';
import type { Direction } from './transport-metrics.js';

/** An attempt that was followed by another. */
export interface PastTry {
  address: string;
  /** 0: no head came. */
  status: number;
  failure: string;
  tookMs: number;
  considered: Considered[];
}

export interface Considered {
  address: string;
  load: number;
  state: string;
}

export interface FlowRecord {
  readonly direction: Direction;
  readonly request: RequestInfo;
  readonly dst: string;
  readonly routeName: string;
  readonly backendName: string;
  readonly span: Span | undefined;
  /** Undefined: requests have no label of their own. */
  readonly label: { readonly name: string; readonly value: string } | undefined;
  /** Monotonic, milliseconds. */
  readonly beganMs: number;
  /** -1: no head has come. */
  readonly headMs: number;
  readonly endedMs: number;
  /** 0: none. */
  readonly status: number;
  readonly grpcStatus: number;
  /** 0 success, 1 failure, 2 canceled. */
  readonly classification: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly retries: number;
  /** Address and identity of the last attempt. */
  readonly targetAddress: string;
  readonly targetIdentity: string | undefined;
  /** The reason of the proxy's own answer, or how the response broke off; empty: neither. */
  readonly reason: string;
  readonly pastTries: readonly PastTry[] | undefined;
  /** The remaining fields of `why`, made only for recorded requests. */
  explain(): Record<string, unknown>;
}
