/** Turns the moments at which a condition holds into firings, by `for` and `keep_firing_for`. */

export interface Interval {
  /** When the condition began to hold. */
  activeMs: number;
  firedMs: number;
  /** Absent if the alert still fires at the end. */
  resolvedMs?: number;
}

/** `holds[i]` says whether the condition holds at `startMs + i * everyMs`. */
export function intervalsOf(
  holds: Uint8Array,
  startMs: number,
  everyMs: number,
  forMs: number,
  keepMs: number,
): Interval[] {
  const intervals: Interval[] = [];
  let current: Interval | undefined;
  let activeMs: number | undefined;
  let endingMs: number | undefined;
  for (let i = 0; i < holds.length; i++) {
    if (holds[i] === 0) {
      if (activeMs === undefined) continue;
      const nowMs = startMs + i * everyMs;
      if (current && keepMs > 0) {
        endingMs ??= nowMs;
        if (nowMs - endingMs < keepMs) continue;
      }
      if (current) current.resolvedMs = nowMs;
      current = undefined;
      activeMs = undefined;
      endingMs = undefined;
      continue;
    }
    endingMs = undefined;
    if (current) continue;
    const nowMs = startMs + i * everyMs;
    activeMs ??= nowMs;
    if (nowMs - activeMs < forMs) continue;
    current = { activeMs, firedMs: nowMs };
    intervals.push(current);
  }
  return intervals;
}
