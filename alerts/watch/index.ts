/** The public face of alerts/watch/: one way to start whatever watches, real or embedded. */
import { findTool } from '../../base/tools.js';
import type { Watch, WatchKind, WatchOptions } from './model.js';

export * from './model.js';

/** `auto` is a real Prometheus and Alertmanager where both are found, the embedded one otherwise. */
export async function startWatch(kind: 'auto' | WatchKind, options: WatchOptions): Promise<Watch> {
  const real = findTool('prometheus') !== undefined && findTool('alertmanager') !== undefined;
  if (kind === 'prometheus' || (kind === 'auto' && real)) {
    return (await import('./prometheus.js')).startPrometheus(options);
  }
  return (await import('./embedded.js')).startEmbedded(options);
}
