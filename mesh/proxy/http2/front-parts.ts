/** The parts of its front that an exchange needs. */
import type { EndpointState, TryFailure } from '../flow/contract.js';
import type { DeadlineWheel } from '../listen/deadlines.js';
import { errorCode } from './frame.js';
import type { Holdings } from '../listen/holdings.js';
import type { OpenTry } from '../seam.js';
import type { SessionPool } from './session-pool.js';
import type { Stream } from './stream.js';

export interface Http2Parts {
  readonly deadlines: DeadlineWheel;
  readonly memory: Holdings;
  readonly openHttp1Try: OpenTry | undefined;
  /** Opens an HTTP/2 attempt. */
  readonly openTry: OpenTry;
  /** Opens an attempt in the protocol that the endpoint takes, as far as it is known. */
  openEither(http1Only: boolean): OpenTry;
  poolOf(endpoint: EndpointState): SessionPool;
}

/** The failure of an attempt whose stream was reset before its answer. */
export function resetFailure(code: number, lost: boolean, onIdleSession: boolean): TryFailure {
  if (lost) return onIdleSession ? 'stale-connection' : 'reset';
  if (code === errorCode.refusedStream) return 'not-processed';
  return code === errorCode.protocol ? 'bad-response' : 'reset';
}

/**
 * Servers on Node's http2 sometimes send RST_STREAM with NO_ERROR instead of END_STREAM. Such a body need not be cut
 * short; a gRPC answer without trailers is.
 */
export function endsByReset(up: Stream, code: number, isGrpc: boolean): boolean {
  if (code !== errorCode.none || isGrpc) return false;
  return up.expectedBytes < 0 || up.expectedBytes === up.receivedBytes;
}
