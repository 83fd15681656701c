/** What an exchange needs of the front that it belongs to. */
import type { EndpointState, TryFailure } from '../flow/contract.js';
import type { DeadlineWheel } from '../listen/deadlines.js';
import { errorCode } from './frame.js';
import type { Holdings } from '../listen/holdings.js';
import type { OpenTry } from '../seam.js';
import type { SessionPool } from './session-pool.js';

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
