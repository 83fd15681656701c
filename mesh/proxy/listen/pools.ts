/** The pools of an endpoint: one for each protocol, since the same address may be called in both. */
import type { EndpointState } from '../flow/contract.js';

class EndpointPools {
  /** Each protocol sets its own pool; undefined at first. */
  http1: unknown = undefined;
  http2: unknown = undefined;
}

export function poolsOf(endpoint: EndpointState): EndpointPools {
  const { pool } = endpoint;
  if (pool instanceof EndpointPools) return pool;
  const made = new EndpointPools();
  endpoint.pool = made;
  return made;
}
