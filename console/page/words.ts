/** Times as a room reads them. */
export const clock = (ms: number): string => new Date(ms).toLocaleTimeString('en-GB');

/** `4.2 s`, `2 min 5 s`. */
export function span(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
