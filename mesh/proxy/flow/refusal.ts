/** The proxy's own answers. */
import type { HeaderList, Refusal, RequestInfo, TryFailure } from './contract.js';

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

export const loop = 'the address is the proxy itself: the request would loop';

/** The answer after the last failed attempt: its status, its text, and its Retry-After in milliseconds (0: none). */
export function afterFailure(why: TryFailure, name: string): [number, string, number] {
  if (why === 'overflow') return [503, 'the connection pool is full', 1000];
  if (why === 'exhausted') {
    return [503, 'this machine has no port, file descriptor or memory left', 1000];
  }
  if (why === 'no-certificate') return [503, 'this proxy has no certificate yet', 1000];
  if (why === 'loop') return [508, loop, 0];
  return [why.endsWith('timeout') ? 504 : 502, `${name}: ${why}`, 0];
}

const hops = /^\d{1,9}$/;

/**
 * The field that replaces Max-Forwards, or the answer in place of the app's (RFC 9110, 7.6.2): TRACE and OPTIONS ask
 * an intermediary for its answer by it. TRACE is not reflected, since its head may hold what its sender may not read.
 */
export function nextHop(request: RequestInfo): HeaderList | Refusal | undefined {
  const { method } = request;
  if (method !== 'OPTIONS' && method !== 'TRACE') return undefined;
  const said = request.header('max-forwards');
  if (said === undefined) return undefined;
  if (!hops.test(said)) return refusal(400, 'bad-request', 'max-forwards', request, 0);
  const left = Number(said);
  if (left > 0) return ['max-forwards', String(left - 1)];
  const status = method === 'OPTIONS' ? 200 : 405;
  const headers = ['allow', 'OPTIONS'];
  return { kind: 'answer', status, grpcStatus: -1, headers, body: '', reason: 'max-forwards' };
}
