/** Without a controller the configuration file is watched: a changed state is applied without a restart. */
import { statSync } from 'node:fs';
import type { Clock, Timer } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { ProxyConfig } from '../model.js';
import { emptyState } from './config.js';
import type { Proxy } from './proxy.js';

const pollMs = 1000;

export function watchState(
  file: string,
  proxy: Proxy,
  read: (file: string) => ProxyConfig,
  clock: Clock,
  log: (line: string) => void,
): Timer {
  let seen = stamp(file);
  return clock.every(pollMs, () => {
    const now = stamp(file);
    if (now === seen) return;
    seen = now;
    try {
      const { state = emptyState, ...rest } = read(file);
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
  });
}

function stamp(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return '';
  }
}
