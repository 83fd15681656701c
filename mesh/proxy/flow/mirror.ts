/** Copies of requests, fire and forget: limited in number, marked, and never a part of the answer. */
import type { Clock } from '../../../base/clock.js';
import type { RequestMetrics } from '../telemetry/request-metrics.js';
import type { BackendState } from './balance/backend.js';
import type { MirrorTarget } from './contract.js';
import { mirrorHeader } from './reserved.js';

/** Copies in flight for one backend; beyond that no copy is made. */
const maxInFlight = 100;
const maxBodyBytes = 64 * 1024;
const header = [mirrorHeader, 'true'] as const;

export function beginMirror(
  backend: BackendState,
  metrics: RequestMetrics,
  clock: Clock,
): MirrorTarget | undefined {
  const nowMs = clock.monotonicMs();
  const endpoint =
    backend.mirrorsInFlight < maxInFlight ? backend.pick(nowMs, undefined, true) : undefined;
  if (!endpoint) {
    metrics.mirrorsSkipped++;
    return undefined;
  }
  const wasProbe = backend.pickedProbe;
  backend.mirrorsInFlight++;
  endpoint.pending++;
  endpoint.requests++;
  let isOver = false;
  return {
    endpoint,
    header,
    maxBodyBytes,
    ended(how) {
      if (isOver) return;
      isOver = true;
      backend.mirrorsInFlight--;
      endpoint.pending--;
      if (how === 'unsent') {
        metrics.mirrorsSkipped++;
        if (wasProbe) backend.probeLost(endpoint);
        return;
      }
      if (how === 'answered') metrics.mirrorsAnswered++;
      else metrics.mirrorsFailed++;
      backend.verdict(endpoint, how === 'failed', wasProbe, clock.monotonicMs());
    },
  };
}
