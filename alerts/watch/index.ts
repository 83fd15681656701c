/** Public interface of alerts/watch/: starts a watch, real or embedded. */
import { findTool } from '../../base/tools.js';
import type { Watch, WatchKind, WatchOptions } from './model.js';

export * from './model.js';

/** `auto` uses a real Prometheus and Alertmanager if both are found, and the embedded watch otherwise. */
export async function startWatch(kind: 'auto' | WatchKind, options: WatchOptions): Promise<Watch> {
  const real = findTool('prometheus') !== undefined && findTool('alertmanager') !== undefined;
  if (kind === 'prometheus' || (kind === 'auto' && real)) {
    return (await import('./prometheus.js')).startPrometheus(options);
  }
  return (await import('./embedded.js')).startEmbedded(options);
}
