/** The proxy's own answers. */
import type { Refusal, RequestInfo } from './contract.js';

/** By gRPC's own HTTP mapping, and by Linkerd's for a proxy's own answers. */
export function grpcStatusOf(status: number): number {
  switch (status) {
    case 400:
    case 500:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
      return 8;
    case 502:
    case 503:
      return 14;
    case 504:
      return 4;
    default:
      return status < 400 ? 0 : 2;
  }
}

/** `retryAfterMs` of 0: no Retry-After. */
export function refusal(
  status: number,
  reason: string,
  message: string,
  request: RequestInfo,
  retryAfterMs: number,
): Refusal {
  const headers = ['l5d-proxy-error', message];
  if (retryAfterMs > 0) {
    // Whole seconds, capped so that a client does not give up for good.
    headers.push('retry-after', String(Math.min(300, Math.ceil(retryAfterMs / 1000))));
  }
  return {
    kind: 'answer',
    status,
    grpcStatus: request.isGrpc ? grpcStatusOf(status) : -1,
    headers,
    body: `${message}\n`,
    reason,
  };
}
