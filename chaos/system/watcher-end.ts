/** The end of a watcher: once, by a signal or with its parent, after it has rolled back its faults. */
import { dieWithParent } from '../../base/child.js';

/** `close` rolls everything back; after `limitMs` the process ends without waiting for it. */
export function endAfter(close: () => Promise<void>, limitMs: number): void {
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(1), limitMs);
    void close().finally(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end);
  dieWithParent(end, limitMs);
}
