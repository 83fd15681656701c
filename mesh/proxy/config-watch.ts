/** Without a controller the configuration file is watched: a changed state is applied without a restart. */
import { statSync } from 'node:fs';
import type { Clock, Timer } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { ProxyConfig } from '../model.js';
import { emptyState } from './config.js';
import type { Proxy } from './proxy.js';

const pollMs = 1000;
/** A file that has changed is read once it has rested for this long: half of a YAML file may be a valid one. */
const restMs = 200;

export function watchState(
  file: string,
  proxy: Pick<Proxy, 'apply' | 'config' | 'state'>,
  read: (file: string) => Promise<ProxyConfig>,
  clock: Clock,
  log: (line: string) => void,
): Timer {
  let inUse = stamp(file);
  let latest = inUse;
  let isReading = false;
  const take = async (): Promise<void> => {
    try {
      const { state = emptyState, ...rest } = await read(file);
      const { state: _, ...before } = proxy.config;
      if (JSON.stringify(rest) !== JSON.stringify(before)) {
        log(`${file}: only 'state' is reloaded while running; other changes need a restart`);
      }
      if (JSON.stringify(state) === JSON.stringify(proxy.state)) return;
      proxy.apply(state, 'file');
      log(`${file}: state ${state.version} applied`);
    } catch (error) {
      log(`${messageOf(error)}; the proxy keeps the state in use`);
    }
  };
  const look = async (): Promise<void> => {
    const now = stamp(file);
    if (now === inUse || isReading) return;
    if (now !== latest) {
      latest = now;
      clock.after(restMs, () => void look());
      return;
    }
    inUse = now;
    isReading = true;
    await take();
    isReading = false;
  };
  return clock.every(pollMs, () => void look());
}

function stamp(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return '';
  }
}
