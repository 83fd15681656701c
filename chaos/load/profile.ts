/** A load as a value: what is asked for, how often, whatever the answers take. Both drivers run the same one. */

export interface LoadRoute {
  name: string;
  method: 'GET' | 'POST';
  path: string;
  /** Begun each second: an open model, at a constant pace. */
  requestsPerSecond: number;
  body?: string;
  /** A key of its own for each request, as a careful client sends. */
  idempotencyKey?: boolean;
}

export interface LoadProfile {
  /** `http://127.0.0.1:4711`. */
  url: string;
  routes: LoadRoute[];
  timeoutMs: number;
  /** Requests under way at once; what is due beyond that is dropped and counted. */
  maxInFlight: number;
}

export const requestsPerSecond = (profile: LoadProfile): number =>
  profile.routes.reduce((sum, route) => sum + route.requestsPerSecond, 0);

/** Shoppers: half look around, some fill a basket, some buy. */
export function shopProfile(url: string, rate = 50): LoadProfile {
  const route = (share: number, rest: Omit<LoadRoute, 'requestsPerSecond'>): LoadRoute => ({
    ...rest,
    requestsPerSecond: rate * share,
  });
  return {
    url,
    routes: [
      route(0.5, { name: 'browse', method: 'GET', path: '/' }),
      route(0.2, { name: 'cart', method: 'POST', path: '/cart', body: '{"item":"lamp"}' }),
      route(0.3, { name: 'checkout', method: 'POST', path: '/checkout', idempotencyKey: true }),
    ],
    timeoutMs: 5000,
    maxInFlight: 200,
  };
}
