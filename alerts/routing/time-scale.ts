/**
 * A configuration at a drill's time scale: waits, intervals and repeats are scaled, time intervals are judged at one
 * moment.
 */
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';
import type { AmConfig, AmRoute, AmTimeInterval } from './config.js';
import { contains } from './time-intervals.js';

/** Alertmanager's defaults for the root route. */
const standard = { group_wait: '30s', group_interval: '5m', repeat_interval: '4h' } as const;
const times = ['group_wait', 'group_interval', 'repeat_interval'] as const;

/** A duration at the scale, at least one millisecond unless it was 0. */
export function scaledMs(ms: number, timeScale: number): number {
  return ms === 0 ? 0 : Math.max(1, Math.round(ms * timeScale));
}

export interface DrillTime {
  timeScale: number;
  /** The moment at which time intervals are judged throughout the drill; absent: the current time. */
  pretendedMs?: number;
}

export function atTimeScale(config: AmConfig, time: DrillTime): AmConfig {
  const { route } = config;
  const { pretendedMs } = time;
  const judged = (list: AmConfig['time_intervals']): AmConfig['time_intervals'] =>
    pretendedMs === undefined
      ? list
      : list?.map(({ name, time_intervals }) => ({
          name,
          time_intervals: time_intervals.some((t) => contains(t, pretendedMs)) ? [always] : [never],
        }));
  return {
    ...config,
    route: scaledRoute({ ...standard, ...withoutUndefined(route) }, time.timeScale),
    ...(config.time_intervals && { time_intervals: judged(config.time_intervals) }),
    ...(config.mute_time_intervals && { mute_time_intervals: judged(config.mute_time_intervals) }),
  };
}

const always: AmTimeInterval = { times: [{ start_time: '00:00', end_time: '24:00' }] };
const never: AmTimeInterval = { years: ['1970'] };

const withoutUndefined = (route: AmRoute): AmRoute =>
  Object.fromEntries(Object.entries(route).filter(([, value]) => value !== undefined));

function scaledRoute(route: AmRoute, timeScale: number): AmRoute {
  const scaled: AmRoute = { ...route };
  for (const field of times) {
    const text = route[field];
    if (text === undefined) continue;
    scaled[field] = formatDurationMs(scaledMs(parseDurationMs(text) ?? 0, timeScale));
  }
  if (route.routes) scaled.routes = route.routes.map((r) => scaledRoute(r, timeScale));
  return scaled;
}

/** The names of the time intervals that a route uses. */
export function intervalsObeyed(route: AmRoute): string[] {
  const own = [...(route.mute_time_intervals ?? []), ...(route.active_time_intervals ?? [])];
  return [...new Set([...own, ...(route.routes ?? []).flatMap(intervalsObeyed)])];
}
