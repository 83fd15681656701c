/** What an exchange needs of the front that it belongs to. */
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
  /** In HTTP/2. */
  readonly openTry: OpenTry;
  poolOf(endpoint: EndpointState): SessionPool;
}

/** Why a try failed whose stream was reset before its answer. */
export function resetFailure(code: number, lost: boolean, onIdleSession: boolean): TryFailure {
  if (lost) return onIdleSession ? 'stale-connection' : 'reset';
  if (code === errorCode.refusedStream) return 'not-processed';
  return code === errorCode.protocol ? 'bad-response' : 'reset';
}

/**
 * Servers on Node's http2 at times say RST_STREAM with NO_ERROR where END_STREAM is due. Nothing says that the body is
 * cut short; gRPC's, without trailers, is.
 */
export function endsByReset(up: Stream, code: number, isGrpc: boolean): boolean {
  if (code !== errorCode.none || isGrpc) return false;
  return up.expectedBytes < 0 || up.expectedBytes === up.receivedBytes;
}
