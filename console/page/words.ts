/** Formats times for people, all in UTC, like the report's and the logs'. */
const moment = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString() : '');

/** `14:05:30`. */
export const clock = (ms: number): string => moment(ms).slice(11, 19);

/** `2026-11-29 14:05`. */
export const dayAndClock = (ms: number): string => moment(ms).slice(0, 16).replace('T', ' ');

/** `4.2 s`, `2 min 5 s`, `3 h 10 min`, `12 d`. */
export function span(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172_800) {
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  }
  return `${Math.round(whole / 86_400)} d`;
}

/** Minutes of complete failure: `0 min`, `4.2 min`, `3.1 h`. */
export function minutesText(minutes: number): string {
  if (minutes >= 120) return `${(minutes / 60).toFixed(1)} h`;
  return `${Number(minutes.toFixed(minutes >= 10 ? 0 : 1))} min`;
}

export const noSlo = 'This Prometheus has no rules of an SLO: firedrill slo generate.';
