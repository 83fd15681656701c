/** The state of a lane in words: shown above it, and read by a screen reader. */
import type { Lane } from './view.js';
import { span } from './words.js';

export function laneText(lane: Lane, nowMs: number): string {
  const { armedAtMs, deadlineAtMs, notifiedAtMs, missed } = lane;
  if (notifiedAtMs !== undefined) {
    const margin = deadlineAtMs - notifiedAtMs;
    const after = span(notifiedAtMs - armedAtMs);
    const { acknowledgedAtMs } = lane;
    const seen =
      acknowledgedAtMs === undefined
        ? ''
        : `; acknowledged ${span(acknowledgedAtMs - notifiedAtMs)} later`;
    return margin >= 0
      ? `rang after ${after}, ${span(margin)} before its deadline${seen}`
      : `rang after ${after}, ${span(margin)} too late${seen}`;
  }
  if (missed !== undefined) return missed;
  const left = deadlineAtMs - nowMs;
  const awaited = left >= 0 ? `awaited, ${span(left)} left` : `awaited, late by ${span(left)}`;
  if (!lane.theory) return awaited;
  const after = (atMs: number): string => span(Math.max(0, atMs - armedAtMs));
  return `${awaited}; by theory after ${after(lane.theory.earliestAtMs)} to ${after(lane.theory.latestAtMs)}`;
}
